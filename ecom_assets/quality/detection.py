"""Recall and precision of the checks on the synthetic shop's planted defects.

A defect is caught if its record is quarantined. A duplicate (`duplicate_row`) is also caught if it counts once: if it
was superseded by another row, or another row by it. A row of an `unknown_product` waits for that product, and is also
caught if another row has superseded it meanwhile.

A quarantined record without a planted defect is a false alarm, unless all its reasons are missing references or a
missing rate. If the rows that it refers to are quarantined themselves, it is a consequence; if they may still arrive,
since the shop sends rows up to LONGEST_LAG days late, it is waiting.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from ecom_assets.contract import MISSING_RATE
from ecom_assets.declaration import Catalog, Declaration
from ecom_assets.engine.duckdb.parsing import text_of
from ecom_assets.landing.provenance import ORIGIN, WINNER, column_list
from ecom_assets.serving.published_tables import ARRIVALS, FILES
from ecom_assets.shop import faults
from ecom_assets.shop.rows import LONGEST_LAG
from ecom_assets.sources.synthetic import DEFECTS
from ecom_assets.sql import among, literal, quoted

PRECISION_TARGET = 0.9
"""Defects per quarantined record, without consequences and waiting rows."""
UNSEEN = {faults.raised_amount.__name__}
"""Kinds of defects that no check can catch: the row is as plausible as a good one."""
DAYS_SHOWN = 7
"""Arrival days that are shown feed by feed."""
NO_TRUTH = "Planted defects are not known here: only the synthetic shop records them, in truth/defects."
_RECORD = f"feed, {column_list(ORIGIN)}"


@dataclass(frozen=True)
class Kind:
    """The number of defects of a kind planted in files that have been read, and the number caught."""

    name: str
    planted: int
    caught: int

    @property
    def recall(self) -> float:
        """Recall: caught per planted, 0 to 1."""
        return self.caught / self.planted


def _precision(defects: int, false_alarms: int) -> float | None:
    """Defects per quarantined defect and false alarm, 0 to 1. None if there are neither."""
    return defects / (defects + false_alarms) if defects or false_alarms else None


@dataclass(frozen=True)
class FeedDay:
    """Results for the records of a feed that arrived on a day; only days with a defect or a false alarm."""

    feed: str
    arrived_on: date
    planted: int
    caught: int
    quarantined_defects: int
    false_alarms: int

    @property
    def recall(self) -> float | None:
        """Caught per planted, 0 to 1. None if nothing was planted."""
        return self.caught / self.planted if self.planted else None

    @property
    def precision(self) -> float | None:
        """Defects per quarantined defect and false alarm, 0 to 1. None if there are neither."""
        return _precision(self.quarantined_defects, self.false_alarms)


@dataclass(frozen=True)
class Detection:
    """The planted defects that were caught, and the other quarantined records."""

    kinds: Sequence[Kind]
    quarantined_defects: int
    """Quarantined records with a planted defect."""
    consequences: int
    """Good records quarantined only because records they refer to are."""
    waiting: int
    """Good records quarantined only because records that they refer to, or rates, have not arrived and still may."""
    false_alarms: Mapping[str, int]
    """Other good records quarantined, by feed and reason."""
    good_rows: int
    """Records read without a planted defect."""
    feed_days: Sequence[FeedDay]
    """The same by feed and arrival day, the newest day first."""

    @property
    def false_alarm_count(self) -> int:
        """Records that are false alarms."""
        return sum(self.false_alarms.values())

    @property
    def precision(self) -> float | None:
        """Defects per quarantined defect and false alarm, 0 to 1. None if there are neither."""
        return _precision(self.quarantined_defects, self.false_alarm_count)

    @property
    def false_alarms_per_thousand(self) -> float | None:
        """False alarms per 1,000 good rows. None if there are no good rows."""
        return 1_000 * self.false_alarm_count / self.good_rows if self.good_rows else None

    @property
    def missed(self) -> Sequence[Kind]:
        """The detectable kinds of which some were not caught."""
        return [kind for kind in self.kinds if kind.recall < 1 and kind.name not in UNSEEN]

    @property
    def meets_target(self) -> bool:
        """Whether every detectable defect was caught, with few false alarms."""
        return not self.missed and (self.precision is None or self.precision >= PRECISION_TARGET)


def measured(con: duckdb.DuckDBPyConnection, truth: Path, tables: Catalog) -> Detection | None:
    """Returns how the checks of a snapshot did on the planted defects; None if the truth records no day.

    Counts the records of arrival days that the truth records, in files that have been read.
    """
    files = sorted((truth / DEFECTS).glob("*.parquet"))
    if not files:
        return None
    known_days = among("arrived_on", [date.fromisoformat(file.stem) for file in files])
    [(newest,)] = con.execute(f"select max(arrived_on) from {FILES.name} where {known_days}").fetchall()
    may_wait = literal(str((newest or date.max) - timedelta(days=LONGEST_LAG)))
    from_feed = [declaration for declaration in tables if declaration.from_feed]
    planted = f"""
        select {_RECORD}, kind from read_parquet([{", ".join(literal(str(file)) for file in files)}])
        semi join {FILES.name} using (feed, arrived_on, source_file)"""
    quarantined = " union all ".join(_quarantined(declaration, tables) for declaration in from_feed)
    counted_once = " union ".join(_counted_once(declaration) for declaration in from_feed)
    con.execute(f"create or replace temp table planted as {planted}")
    con.execute(f"create or replace temp table quarantined as {quarantined}")
    con.execute(f"""
        create or replace temp table found as
        select feed, arrived_on, kind, (
            quarantined.record is not null
            or counted_once.record is not null and kind = {literal(faults.duplicate_row.__name__)}
            or counted_once.is_gone and kind = {literal(faults.unknown_product.__name__)}) as is_caught
        from planted left join quarantined using ({_RECORD})
        left join ({counted_once}) counted_once using ({_RECORD})""")
    con.execute(f"""
        create or replace temp table fates as
        select feed, arrived_on, reasons, case
            when kind is not null then 'defect'
            when len(reasons) = refused then 'consequence'
            when len(reasons) = missing and arrived_on > {may_wait} then 'waiting'
            else 'false alarm' end as fate
        from quarantined left join planted using ({_RECORD}) where {known_days}""")
    kinds = con.execute(
        "select kind, count(*), count(*) filter (is_caught) from found group by kind order by kind"
    ).fetchall()
    fates = con.execute("""
        select fate, feed || ': ' || array_to_string(reasons, '; ') as why, count(*) as rows
        from fates group by all order by rows desc, why""").fetchall()
    feed_days = con.execute("""
        select feed, arrived_on, sum(planted)::bigint as planted, sum(caught)::bigint as caught,
               sum(defects)::bigint as defects, sum(false_alarms)::bigint as false_alarms
        from (
            select feed, arrived_on, 1 as planted, is_caught::int as caught, 0 as defects, 0 as false_alarms from found
            union all
            select feed, arrived_on, 0, 0, (fate = 'defect')::int, (fate = 'false alarm')::int from fates)
        group by all having planted > 0 or false_alarms > 0 order by arrived_on desc, feed""").fetchall()
    [(read,)] = con.execute(f"""
        select coalesce(sum(row_count), 0)::bigint from {ARRIVALS.name} where {known_days}""").fetchall()
    by_fate: dict[str, dict[str, int]] = defaultdict(dict)
    for fate, why, rows in fates:
        by_fate[fate][why] = rows
    return Detection(
        kinds=[Kind(*kind) for kind in kinds],
        quarantined_defects=sum(by_fate["defect"].values()),
        consequences=sum(by_fate["consequence"].values()),
        waiting=sum(by_fate["waiting"].values()),
        false_alarms=by_fate["false alarm"],
        good_rows=read - sum(planted for _, planted, _ in kinds),
        feed_days=[FeedDay(*feed_day) for feed_day in feed_days],
    )


def _feed(declaration: Declaration) -> str:
    return literal(declaration.feed_name)


def _quarantined(declaration: Declaration, tables: Catalog) -> str:
    """Returns SQL for a table's quarantined records, with how many references and rates are missing or quarantined."""
    missing, refused = [f"coalesce(list_contains(reason_codes, {literal(MISSING_RATE)}), false)::int"], ["0"]
    for column in declaration.contract.references:
        target = tables[str(column.references)]
        is_missing = f"coalesce(list_contains(reason_codes, {literal(column.missing_reference.code)}), false)"
        missing.append(f"{is_missing}::int")
        if target.from_feed:
            key = text_of(target.contract.columns[target.contract.primary_key[0]])
            keys = f"select {key} from {quoted(target.quarantine)} where {key} is not null"
            refused.append(f"({is_missing} and {text_of(column)} in ({keys}))::int")
    return (
        f"select {_feed(declaration)} as feed, {column_list(ORIGIN)}, reasons, "
        f"{' + '.join(missing)} as missing, {' + '.join(refused)} as refused from {quoted(declaration.quarantine)}"
    )


def _counted_once(declaration: Declaration) -> str:
    """Returns SQL for a table's records that were superseded (`is_gone`), or that superseded a duplicate of them."""
    feed, superseded = _feed(declaration), quoted(declaration.superseded)
    origin = column_list(ORIGIN)
    return (
        f"select feed, {origin}, bool_or(is_gone) as is_gone from ("
        f"select {feed} as feed, {origin}, true as is_gone from {superseded} union all "
        f"select {feed}, {column_list(WINNER)}, false from {superseded} where kind = 'duplicate') group by all"
    )


def kinds_table(found: Detection) -> str:
    """Returns the kinds as a Markdown table."""
    lines = [f"| {kind.name} | {kind.planted:,} | {kind.caught:,} | {kind.recall:.1%} |" for kind in found.kinds]
    return "\n".join(["| defect | planted | caught | recall |", "| --- | --: | --: | --: |", *lines])


def feed_days_table(found: Detection) -> str:
    """Returns the feeds of the newest arrival days as a Markdown table."""
    newest = sorted({day.arrived_on for day in found.feed_days})[-DAYS_SHOWN:]
    lines = [
        f"| {day.feed} | {day.arrived_on} | {day.planted:,} | {day.caught:,} | {percent(day.recall)} "
        f"| {day.false_alarms:,} | {percent(day.precision)} |"
        for day in found.feed_days
        if day.arrived_on in newest
    ]
    head = "| feed | arrival day | planted | caught | recall | false alarms | precision |"
    return "\n".join([head, "| --- | --- | --: | --: | --: | --: | --: |", *lines])


def percent(share: float | None) -> str:
    """Returns a share of 0 to 1 in percent; an empty text for None."""
    return "" if share is None else f"{share:.1%}"


def alarms_table(found: Detection) -> str:
    """Returns the false alarms as a Markdown table."""
    lines = [f"| {why} | {rows:,} |" for why, rows in found.false_alarms.items()]
    return "\n".join(["| good rows quarantined | rows |", "| --- | --: |", *lines])
