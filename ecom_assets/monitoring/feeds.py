"""The parts about feeds: whether what is due has arrived and run, and as many rows as on other such weekdays.

Both are told from the ledger, by day: an old day that runs again makes no feed fresh.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from zoneinfo import ZoneInfo

from ecom_assets.days import ONE_DAY
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.landing.zone import Zone
from ecom_assets.monitoring.report import Figure, Level, Part, Reason, Value
from ecom_assets.monitoring.tables import NOTHING_PUBLISHED
from ecom_assets.serving.ledger_facts import ArrivalDay, LedgerFacts
from ecom_assets.settings import Settings

EXPECTED_AFTER = dt.timedelta(hours=6)
"""A day is expected to have run so long after its end, in the shop's time zone."""
DAYS_LOOKED_BACK = 60
CRITICAL_FROM = 2
"""Due days of a feed without good rows from which on it is critical."""
WEEKDAYS_BEFORE, LEAST_WEEKDAYS, LEAST_ROWS = 8, 4, 20
MOST_NAMED = 3
OUTSIDE = 3.0
"""A day with less than the third, or more than three times, of the rows usual on its weekday is told."""


_Late = tuple[dt.date | None, dt.date, int, dt.date | None]
"""Newest good day of feeds, the first due day since, the number of those, and the first of them that has landed."""


def expected_day(known: Settings, now: dt.datetime) -> dt.date | None:
    """Returns the newest day of the calendar that is expected to have run; None if there is none."""
    local = (now - EXPECTED_AFTER).astimezone(ZoneInfo(known.time_zone))
    day = min(local.date() - ONE_DAY, known.calendar.last)
    return day if day >= known.start else None


def freshness(facts: LedgerFacts | None, known: Settings, now: dt.datetime) -> Part:
    """Returns which feeds lack days on which files were due, and which tables are behind the feeds."""
    expected = expected_day(known, now)
    if facts is None or expected is None:
        return Part("freshness", NOTHING_PUBLISHED if facts is None else "No day is expected yet.")
    zone, figures, late = Zone(known.landing), list[Figure](), dict[_Late, list[str]]()
    details, due_days = list[Mapping[str, Value]](), set[dt.date]()
    for feed in sorted({*zone.feeds(), *facts.arrivals}):
        landed = zone.days(feed)
        due = _due(zone.settings(feed), [day for day in landed if day >= known.start], expected)
        due_days |= set(due[-1:])
        newest = _newest(facts.arrivals.get(feed, ()), set(due))
        missing = [day for day in due if newest is None or day > newest]
        details.append({"name": feed, "newest day": str(newest) if newest else None, "due days since": len(missing)})
        figures.append(Figure("feed_due_days_missing", len(missing), {"feed": feed}))
        if newest:
            figures.append(Figure("feed_newest_day_timestamp_seconds", _end_of(newest, known), {"feed": feed}))
        if missing:
            read_next = next((day for day in landed if day in missing), None)
            late.setdefault((newest, missing[0], len(missing), read_next), []).append(feed)
    reached = max(due_days, default=None)
    reasons = [_told(feeds, *found) for found, feeds in late.items()]
    behind = Counter(day for table, day in facts.newest.items() if reached and (day is None or day < reached))
    if behind and not reasons:
        reasons.append(_behind(behind, reached, facts))
    for table, day in facts.newest.items():
        details.append({"name": table, "newest day": str(day) if day else None, "due days since": None})
        if day:
            figures.append(Figure("table_newest_day_timestamp_seconds", _end_of(day, known), {"table": table}))
    count = sum(map(len, late.values()))
    summary = f"{count} feeds lack days on which files were due." if late else f"All feeds are there up to {reached}."
    return Part("freshness", summary, reasons, figures, details)


def _due(settings: FeedSettings, landed: Sequence[dt.date], last: dt.date) -> list[dt.date]:
    """Returns the days from the first arrival on, of the last two months, on which files of a feed were due, in order.

    As `Zone.is_due`, which lists the folders of the feed for each day.
    """
    if not landed:
        return []
    days = (last - n * ONE_DAY for n in range(min((last - landed[0]).days + 1, DAYS_LOOKED_BACK)))
    return [day for day in days if settings.is_due(day)][::-1]


def _newest(arrivals: Iterable[ArrivalDay], due: set[dt.date]) -> dt.date | None:
    """Returns the newest day of which files were read; a good day without rows counts if a file was due."""
    return max((found.day for found in arrivals if found.is_good and (found.rows or found.day in due)), default=None)


def _told(feeds: Sequence[str], newest: dt.date | None, first: dt.date, count: int, landed: dt.date | None) -> Reason:
    level = Level.CRITICAL if count >= CRITICAL_FROM else Level.WARNING
    since = f"the newest good day is {newest}" if newest else "no day is good"
    if landed:
        text = f"{_listed(feeds)} landed for {landed}, which has not run or is not good; {since}."
        return Reason(level, text, "ecom bad says what failed; otherwise: ecom run --stale.")
    days = str(first) if count == 1 else f"{count} days since {first}"
    advice = "Ask the sender. feeds.toml sets days on which nothing is due, settings.toml the last day of all."
    return Reason(level, f"Missing although files were due: {_listed(feeds)}, {days}; {since}.", advice)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")


def _behind(behind: Counter[dt.date | None], reached: dt.date | None, facts: LedgerFacts) -> Reason:
    examples = [table for table, day in facts.newest.items() if day in behind]
    text = f"{_listed(examples)} have no good rows of {reached}, though all feeds have."
    return Reason(Level.WARNING, text, "ecom bad says what is failed or blocked; otherwise: ecom run --stale.")


def _end_of(day: dt.date, known: Settings) -> float:
    return dt.datetime.combine(day + ONE_DAY, dt.time(), ZoneInfo(known.time_zone)).timestamp()


def volume(facts: LedgerFacts | None) -> Part:
    """Returns the rows of each feed on its newest day, compared with the same weekdays before it."""
    if facts is None:
        return Part("volume", NOTHING_PUBLISHED)
    reasons, figures, details = list[Reason](), list[Figure](), list[Mapping[str, Value]]()
    for feed, arrivals in facts.arrivals.items():
        rows = {found.day: found.rows for found in arrivals if found.is_good}
        if not rows:
            continue
        newest = max(rows)
        before = [rows[day] for n in range(1, WEEKDAYS_BEFORE + 1) if (day := newest - 7 * n * ONE_DAY) in rows]
        usual = median(before) if len(before) >= LEAST_WEEKDAYS else None
        figures.append(Figure("feed_rows", rows[newest], {"feed": feed}))
        details.append({"name": feed, "day": str(newest), "rows": rows[newest], "usual": usual})
        if usual is None or usual < LEAST_ROWS:
            continue
        figures.append(Figure("feed_usual_rows", usual, {"feed": feed}))
        if not usual / OUTSIDE <= rows[newest] <= usual * OUTSIDE:
            level = Level.WARNING if rows[newest] else Level.CRITICAL
            text = f"{feed} has {rows[newest]:,} rows on {newest}; usual on this weekday are {usual:,.0f}."
            reasons.append(Reason(level, text, "Ask the sender whether the file is whole, or a campaign explains it."))
    return Part("volume", f"{len(details)} feeds have rows.", reasons, figures, details)
