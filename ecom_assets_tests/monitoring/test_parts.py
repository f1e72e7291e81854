"""Each part says ok, warning or critical for the right reason, and what to do."""

import datetime as dt
import shutil
from collections import namedtuple
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ecom_assets.alerting.delivery import tick
from ecom_assets.alerting.store import open_store
from ecom_assets.days import ONE_DAY, State, Window
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.landing.zone import Zone
from ecom_assets.monitoring import alerts, feeds, machine, runs, tables
from ecom_assets.monitoring.report import Level, Part
from ecom_assets.monitoring.runs import DagsterFacts, Ticker
from ecom_assets.serving.ledger_facts import ArrivalDay, LedgerFacts
from ecom_assets.settings import Settings
from ecom_assets_tests.alerting import Events

NOW = dt.datetime(2024, 4, 1, 12, tzinfo=dt.UTC)
YESTERDAY = dt.date(2024, 3, 31)
FIRST = dt.date(2024, 1, 1)


def arrived(first: dt.date = FIRST, last: dt.date = YESTERDAY, rows: int = 100) -> list[ArrivalDay]:
    return [ArrivalDay(first + n * ONE_DAY, True, rows) for n in range((last - first).days + 1)]


def facts(**more: Any) -> LedgerFacts:
    """What a ledger says in which all is well."""
    well: dict[str, Any] = {
        "published_at": NOW - dt.timedelta(minutes=5),
        "states": {state: 10 if state.is_good else 0 for state in State},
        "bad": [],
        "stale": 0,
        "newest": {"bronze.orders": YESTERDAY, "kpi.daily_sales": YESTERDAY},
        "arrivals": {"orders": arrived()},
        "quality": {YESTERDAY - n * ONE_DAY: (1000, 1000) for n in range(35)},
    }
    return LedgerFacts(**(well | more))


def said(part: Part) -> list[tuple[Level, str]]:
    return [(reason.level, reason.text) for reason in part.reasons]


def values(part: Part, name: str) -> list[float]:
    return [figure.value for figure in part.figures if figure.name == name]


@pytest.fixture
def known(tmp_path: Path) -> Settings:
    return Settings(tmp_path)


@pytest.fixture
def zone(known: Settings) -> Zone:
    return Zone(known.landing)


def land(zone: Zone, *days: dt.date, feed: str = "orders") -> None:
    for day in days:
        zone.write(feed, day, "orders.csv", b"order_id\n1\n")


# -- pipeline


def pipeline(found: LedgerFacts | None, known: Settings, runs: Mapping[str, int] | None = None) -> Part:
    return tables.pipeline(found, known.alert_store, runs or {}, NOW)


def test_good_days_are_ok(known: Settings) -> None:
    part = pipeline(facts(), known, {"success": 3})

    assert (part.level, part.summary) == (Level.OK, "20 of 20 table-days are good, 0 are stale.")
    assert values(part, "runs_last_day") == [3]


def test_nothing_published_is_a_warning(known: Settings) -> None:
    assert said(pipeline(None, known)) == [(Level.WARNING, "Nothing is published yet.")]


def test_failed_days_are_critical_and_blocked_ones_a_warning(known: Settings) -> None:
    day = dt.date(2024, 3, 2)
    bad = [("silver.orders", day, State.FAILED), ("silver.orders", day + ONE_DAY, State.FAILED)]
    bad += [("gold.fact_sales", day, State.BLOCKED), ("kpi.daily_sales", day, State.BLOCKED)]

    assert said(pipeline(facts(bad=bad), known)) == [
        (Level.CRITICAL, "silver.orders failed on 2024-03-02..2024-03-03."),
        (Level.WARNING, "2 table-days of 2 tables are blocked by an input without good rows."),
    ]


def test_a_silenced_day_is_counted_and_not_told(known: Settings) -> None:
    day = dt.date(2024, 3, 2)
    with open_store(known.alert_store) as store:
        store.silence("silver.*", Window(day, day), NOW + dt.timedelta(hours=1), "the till was down", NOW)
    bad = [("silver.orders", day, State.FAILED), ("silver.orders", day + ONE_DAY, State.FAILED)]

    part = pipeline(facts(bad=bad), known)

    assert said(part) == [(Level.CRITICAL, "silver.orders failed on 2024-03-03.")]
    assert part.summary.endswith("; 1 bad ones are silenced.")


def test_what_stays_stale_is_a_warning(known: Settings) -> None:
    assert said(pipeline(facts(stale=3), known)) == []
    old = facts(stale=3, published_at=NOW - dt.timedelta(hours=3))
    assert said(pipeline(old, known)) == [
        (Level.WARNING, "3 table-days are stale, and nothing has been published for 3 hours.")
    ]


def test_a_run_that_stopped_is_critical_until_it_is_solved(known: Settings, events: Events) -> None:
    with open_store(known.alert_store) as store:
        store.add([stopped := events.stops()], NOW)
    assert said(pipeline(facts(), known)) == [(Level.CRITICAL, "the disk is full.")]

    with open_store(known.alert_store) as store:
        store.add([events.passes(stopped)], NOW)
    assert said(pipeline(facts(), known)) == []


# -- freshness


def fresh(found: LedgerFacts, known: Settings, now: dt.datetime = NOW) -> list[tuple[Level, str]]:
    return said(feeds.freshness(found, known, now))


def test_feeds_up_to_yesterday_are_fresh(known: Settings, zone: Zone) -> None:
    land(zone, FIRST, YESTERDAY)

    part = feeds.freshness(facts(), known, NOW)

    assert (said(part), part.summary) == ([], "All feeds are there up to 2024-03-31.")
    assert values(part, "feed_due_days_missing") == [0]


@pytest.mark.parametrize(("missing", "level"), [(1, Level.WARNING), (2, Level.CRITICAL)])
def test_a_feed_that_lacks_due_days_is_late(known: Settings, zone: Zone, missing: int, level: Level) -> None:
    land(zone, FIRST)
    newest = YESTERDAY - missing * ONE_DAY

    [(found, text)] = fresh(facts(arrivals={"orders": arrived(last=newest)}), known)

    assert found is level
    assert text.startswith("Missing although files were due: orders, ")
    assert text.endswith(f"; the newest good day is {newest}.")


def test_a_backfill_makes_no_feed_fresh(known: Settings, zone: Zone) -> None:
    """The ledger says which days are good, not when they were last written."""
    land(zone, FIRST)
    old = arrived(last=YESTERDAY - 5 * ONE_DAY)
    again = facts(arrivals={"orders": old}, published_at=NOW)

    assert [level for level, _ in fresh(again, known)] == [Level.CRITICAL]


def test_a_day_that_failed_is_not_there(known: Settings, zone: Zone) -> None:
    land(zone, FIRST)
    failed = [*arrived(last=YESTERDAY - ONE_DAY), ArrivalDay(YESTERDAY, False, 0)]

    assert [level for level, _ in fresh(facts(arrivals={"orders": failed}), known)] == [Level.WARNING]


def test_landed_and_not_run_is_told_as_such(known: Settings, zone: Zone) -> None:
    land(zone, FIRST, YESTERDAY)

    [(_, text)] = fresh(facts(arrivals={"orders": arrived(last=YESTERDAY - ONE_DAY)}), known)

    assert text.startswith("orders landed for 2024-03-31, which has not run or is not good")


def test_feeds_with_the_same_gap_are_one_reason(known: Settings, zone: Zone) -> None:
    names = ["events", "items", "orders", "payments", "returns"]
    for feed in names:
        land(zone, FIRST, feed=feed)
    late = arrived(last=YESTERDAY - ONE_DAY)

    [(_, text)] = fresh(facts(arrivals=dict.fromkeys(names, late)), known)

    assert "events, items, orders and 2 more, 2024-03-31;" in text


def test_days_on_which_nothing_is_due_are_not_missing(known: Settings, zone: Zone) -> None:
    """31 March 2024 is a Sunday."""
    land(zone, FIRST)
    zone.save_settings("orders", FeedSettings(due=frozenset(range(5))))
    friday = facts(arrivals={"orders": arrived(last=dt.date(2024, 3, 29))}, newest={"kpi.x": dt.date(2024, 3, 29)})

    assert fresh(friday, known) == []


def test_a_day_is_expected_hours_after_its_end_in_the_shops_time_zone(known: Settings) -> None:
    def expected(moment: str, zone: str = "UTC", **more: Any) -> dt.date | None:
        now = dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC)
        return feeds.expected_day(Settings(known.data, time_zone=zone, **more), now)

    assert expected("2024-04-01 05:59") == dt.date(2024, 3, 30)
    assert expected("2024-04-01 06:00") == dt.date(2024, 3, 31)
    assert expected("2024-04-01 06:00", "America/New_York") == dt.date(2024, 3, 30)
    assert expected("2024-04-01 06:00", end=dt.date(2024, 2, 1)) == dt.date(2024, 2, 1)
    assert expected("2024-01-01 06:00") is None


def test_tables_behind_their_feeds_are_a_warning(known: Settings, zone: Zone) -> None:
    land(zone, FIRST, YESTERDAY)
    behind = facts(newest={"bronze.orders": YESTERDAY, "kpi.daily_sales": YESTERDAY - ONE_DAY})

    assert fresh(behind, known) == [
        (Level.WARNING, "kpi.daily_sales have no good rows of 2024-03-31, though all feeds have.")
    ]


# -- volume


def volume(*rows: int, newest: int) -> list[tuple[Level, str]]:
    """The reasons if a feed has so many rows on the same weekdays before, the oldest first, and on the newest day."""
    counts = [*rows, newest]
    days = [ArrivalDay(YESTERDAY - 7 * n * ONE_DAY, True, count) for n, count in enumerate(reversed(counts))]
    return said(feeds.volume(facts(arrivals={"orders": days[::-1]})))


@pytest.mark.parametrize(
    ("newest", "level"),
    [(100, None), (34, None), (33, Level.WARNING), (300, None), (301, Level.WARNING), (0, Level.CRITICAL)],
)
def test_rows_are_compared_with_the_same_weekdays(newest: int, level: Level | None) -> None:
    found = volume(90, 100, 110, 100, newest=newest)

    assert [known for known, _ in found] == ([level] if level else [])
    if level:
        assert found[0][1] == f"orders has {newest} rows on 2024-03-31; usual on this weekday are 100."


def test_few_weekdays_or_rows_are_not_compared() -> None:
    assert volume(100, 100, 100, newest=0) == []
    assert volume(19, 19, 19, 19, newest=0) == []


# -- quality


def quality(last: tuple[int, int], before: tuple[int, int]) -> list[str]:
    days = {YESTERDAY - n * ONE_DAY: last if n < 7 else before for n in range(35)}
    return [text for _, text in said(tables.quality(facts(quality=days)))]


def test_quality_is_compared_with_the_target_and_the_days_before() -> None:
    assert quality((1000, 999), (1000, 1000)) == []
    assert quality((1000, 998), (1000, 998)) == ["99.800% of the rows of the last 7 days passed; the target is 99.9%."]
    assert quality((1000, 990), (1000, 1000))[1:] == ["The share of rows that pass fell from 100.000% to 99.000%."]
    assert quality((0, 0), (1000, 1000)) == []


# -- files and disk


def test_damaged_and_closed_files_are_critical(known: Settings) -> None:
    assert said(machine.connectivity(known, {})) == []

    known.snapshot.write_bytes(b"this is no database")

    part = machine.connectivity(known, {"dagster": "Dagster's storage cannot be read: no such table"})
    assert [(level, text.rpartition("/")[2]) for level, text in said(part)] == [
        (Level.CRITICAL, "snapshot.duckdb is not a DuckDB database, or is damaged."),
        (Level.CRITICAL, "Dagster's storage cannot be read: no such table."),
    ]
    assert sum(values(part, "reachable")) == 3


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("megabytes", "level"), [(499, Level.CRITICAL), (1_999, Level.WARNING), (2_000, Level.OK), (700, Level.WARNING)]
)
def test_little_room_is_told_before_a_publish_fails(
    known: Settings, monkeypatch: pytest.MonkeyPatch, megabytes: int, level: Level
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(0, 0, megabytes * machine.MB))

    assert machine.disk(known).level is level


# -- runs and sensors


@pytest.mark.parametrize(("hours", "level"), [(0.5, Level.OK), (1, Level.WARNING), (6, Level.CRITICAL)])
def test_a_run_that_waits_long_is_told(hours: float, level: Level) -> None:
    part = runs.queue(DagsterFacts(waiting=1, waits_since=NOW - dt.timedelta(hours=hours)), NOW)

    assert part.level is level
    assert values(part, "longest_wait_seconds") == [hours * 3600]


def sensors(*tickers: Ticker, dead: Sequence[str] = ()) -> list[tuple[Level, str]]:
    return said(runs.sensors(DagsterFacts(tickers=tickers, dead_daemons=dead), NOW))


def ticker(minutes: float | None, interval: int = 30, is_on: bool = True) -> Ticker:
    last = None if minutes is None else NOW - dt.timedelta(minutes=minutes)
    return Ticker("run_new_files", is_on, last, dt.timedelta(seconds=interval))


def test_sensors_that_do_not_tick_are_told() -> None:
    assert sensors(ticker(9)) == []
    assert sensors(ticker(10)) == [(Level.CRITICAL, "The sensor run_new_files has not ticked for 10 minutes.")]
    assert sensors(ticker(15, interval=120)) == []
    assert sensors(ticker(None)) == [(Level.WARNING, "The sensor run_new_files has never ticked.")]
    assert sensors(ticker(99, is_on=False)) == [(Level.WARNING, "The sensor run_new_files is switched off.")]
    assert sensors(dead=["SENSOR"]) == [(Level.CRITICAL, "The daemon SENSOR of Dagster has stopped.")]


# -- alerting


def test_alerting_that_is_silent_for_ten_minutes_is_critical(known: Settings) -> None:
    assert alerts.alerting(known.alert_store, NOW).level is Level.CRITICAL

    tick(known.delivery, now=lambda: NOW - dt.timedelta(minutes=9))
    assert alerts.alerting(known.alert_store, NOW).level is Level.OK

    tick(known.delivery, now=lambda: NOW - dt.timedelta(minutes=10))
    [(level, text)] = said(alerts.alerting(known.alert_store, NOW))
    assert level is Level.CRITICAL
    assert text.startswith("Alerting has not run since 2024-04-01 11:50 UTC")


def test_slow_messages_and_open_incidents_are_counted(known: Settings, events: Events) -> None:
    now = dt.datetime.now(dt.UTC)
    with open_store(known.alert_store) as store:
        store.add([events.fails("silver.orders")], now)
    tick(known.delivery, now=lambda: now - dt.timedelta(minutes=2))

    part = alerts.alerting(known.alert_store, now)

    assert values(part, "open_incidents") == [1, 0, 0]
    [lag] = values(part, "alert_lag_seconds")
    assert lag >= 120
    assert said(part) == [(Level.WARNING, f"Messages of the last day took up to {lag:.0f} s to arrive.")]
