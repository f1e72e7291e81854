"""Bronze from files: the rows of arrival days, and the days whose files are not those that were read."""

import datetime as dt
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import replace

from ecom_assets.days import ONE_DAY, State, Window
from ecom_assets.declaration import Declaration
from ecom_assets.engine.duckdb.hashing import content_hash
from ecom_assets.engine.duckdb.tables import stored
from ecom_assets.landing import reading
from ecom_assets.landing.provenance import DERIVED, ORIGIN, sql_types
from ecom_assets.landing.streamed import REPLAYED, overlaps
from ecom_assets.landing.zone import LandedFile
from ecom_assets.sql import between, literal
from ecom_assets.warehouse.arriving import (
    AS_PROMISED,
    CAN_BE_READ,
    HAS_TOTALS,
    IS_COMPLETE,
    IS_NEW,
    NOT_OF_DAY_BEFORE,
    ONCE,
    off_totals,
    repeated_files,
)
from ecom_assets.warehouse.ledger import records
from ecom_assets.warehouse.ledger.arrivals import happened_days, note_files, unread
from ecom_assets.warehouse.ledger.invalidation import watched_moves
from ecom_assets.warehouse.ledger.records import Cause, DayResult, Expectation, Slice, StaleDay
from ecom_assets.warehouse.ledger.staleness import days_of_other_code
from ecom_assets.warehouse.outcome import conclude, entry_of
from ecom_assets.warehouse.references import watched_arrival
from ecom_assets.warehouse.store import Store


def stale_bronze(store: Store, only: Collection[str] | None) -> list[StaleDay]:
    """Returns arrival days whose files, or the code that reads them, changed since the last attempt."""
    bronze = [declaration.name for declaration in store.catalog if declaration.is_bronze]
    tables = [name for name in bronze if only is None or name in only]
    if not tables:
        return []
    recorded = records.recorded_inputs(store.con, tables)
    happened = happened_days(store.con, bronze)
    # A folder of a day to come, as a mistyped year makes it, does not concern the days before it.
    tomorrow = store.now().date() + ONE_DAY
    until_now = Window(store.calendar.first, min(store.calendar.last, max(store.calendar.first, tomorrow)))
    found = unread(store.zone, bronze, recorded, until_now, tables, happened=happened)
    known = {(stale.table, stale.day) for stale in found}
    for table in tables:
        days = days_of_other_code(store.con, table, store.codes[table], store.calendar)
        found += [StaleDay(table, day, Cause.CODE_CHANGED) for day in days if (table, day) not in known]
    return found


def write_bronze(store: Store, declaration: Declaration, window: Window) -> list[DayResult]:
    """Read the files of the arrival days. Rows of files that are gone stay, with derived columns computed fresh."""
    con, zone, feed = store.con, store.zone, declaration.feed_name
    table = stored(declaration)
    landed_files = zone.arrivals(feed, window.first, window.last, store.calendar.first)
    prints = zone.fingerprints(feed, landed_files, store.calendar.first)
    arrivals = {day: [file for file in files if not file.is_control] for day, files in landed_files.items()}
    files = [file for day in window for file in arrivals[day]]
    with store.transaction():
        store.ensure(declaration.name, table.columns)
        replaced = note_files(con, feed, _by_source(files), store.now())
        moves = watched_moves(con, store.catalog, declaration, window) if store.can_move(declaration) else nullcontext()
        with moves, watched_arrival(store, declaration):
            ours = between("arrived_on", window)
            sources = sorted({(str(file.arrived_on), file.stored_as) for file in files})
            present = ", ".join(f"(date '{on}', {literal(source)})" for on, source in sources)
            if present:
                con.execute(f"delete from {table.name} where {ours} and (arrived_on, source_file) in ({present})")
            store.on_step("rows deleted")
            _derive_again(store, declaration, ours)
            if fresh := [file for file in files if file.duplicate_of is None]:
                landed = reading.read(con, fresh, list(declaration.feed_contract.columns))
                rows = store.bronze_query(declaration)
                landed.query("landed", f"insert into {table.name} ({table.listed}) select {table.listed} from ({rows})")
            store.on_step("rows inserted")
        slices, unreadable = _bronze_slices(store, declaration, window)
        damaged = _damaged_files(store, declaration, window)
        controls = [file for day in window for file in landed_files[day] if file.is_control]
        amiss = off_totals(store, declaration, arrivals, controls)
        repeated = repeated_files(store, declaration, files)
        landed_twice = list(
            overlaps((f.arrived_on, f.offsets) for f in files if f.offsets and f.offsets.kind != REPLAYED)
        )
        promised, first_day = zone.settings(feed).files, store.calendar.first
        results, entries = [], []
        for day in window:
            parts = tuple(slices.get(day, ()))
            silent = not arrivals[day] and not parts and zone.is_due(feed, day, first_day)
            notes = [f"{name} replaced its earlier rows" for on, name in replaced if on == day]
            duplicates = [file for file in arrivals[day] if file.duplicate_of]
            notes += [f"{file.name} is a duplicate of {file.duplicate_of} and counts once" for file in duplicates]
            notes += [f"{name} is cut off or damaged: {reading.LAND_WHOLE}" for name in damaged.get(day, ())]
            warned = {CAN_BE_READ: unreadable.get(day, 0), IS_COMPLETE: len(damaged.get(day, ()))}
            notes += amiss.get(day, ())
            warned[HAS_TOTALS] = len(amiss.get(day, ()))
            again = [file for file in duplicates if file in repeated]
            of_day_before = [file for file in again if str(file.duplicate_of).startswith(f"{day - ONE_DAY}/")]
            warned[NOT_OF_DAY_BEFORE], warned[IS_NEW] = len(of_day_before), len(again) - len(of_day_before)
            doubled = [found for found in landed_twice if found.arrived_on == day]
            notes += [
                f"offsets {first} to {last} of {source} landed twice and count once"
                for _, source, first, last in doubled
            ]
            warned[ONCE] = sum(found.last - found.first + 1 for found in doubled)
            sent = {file.stored_as for file in arrivals[day] if not file.is_written}
            if (missing := (promised or 1) - len(sent)) > 0 and arrivals[day] and zone.is_due(feed, day, first_day):
                warned[AS_PROMISED] = missing
                notes.append(f"{len(sent)} of {promised} promised files arrived" if promised else _ONLY_WRITTEN)
            row_count = sum(part.row_count for part in parts)
            result = DayResult(
                day,
                State.FAILED if silent else State.PROVISIONAL if day in damaged else State.STORED,
                row_count,
                unreadable.get(day, 0),
                _silence(feed) if silent else "; ".join(notes),
                broken={"A file arrives on each due day.": 1} if silent else {},
                warned={sentence: count for sentence, count in warned.items() if count},
                checked_count=row_count,
            )
            results.append(result)
            entries.append(entry_of(result, Expectation(prints[day], 0, 0), parts))
        conclude(store, declaration, entries)
    return results


_ONLY_WRITTEN = "no file arrived beside those that the API wrote, although one is due"


def _by_source(files: Sequence[LandedFile]) -> list[LandedFile]:
    """Returns the files, with one in place of all of a stream and day, which is the same whatever it has."""
    found = {}
    for file in files:
        name = file.stored_as
        found[file.arrived_on, name] = replace(file, name=name, digest=name) if file.offsets else file
    return list(found.values())


def _silence(feed: str) -> str:
    """Returns the note on a day without a file on which one is due."""
    return (
        "no file arrived on a day on which one is due; if the sender was closed, add the day to closed, or the "
        f"sender's country as holidays, under [{feed}] in landing/feeds.toml"
    )


def _derive_again(store: Store, declaration: Declaration, which: str) -> None:
    """Compute again, by the present settings, the event days and keys of rows whose file is gone."""
    table = stored(declaration).name
    if not store.count(f"select count(*) from {table} where {which}"):
        return
    derived = ", ".join(f"{name} = derived.{name}" for name in sql_types(DERIVED))
    same = " and ".join(f"stored.{name} = derived.{name}" for name in sql_types(ORIGIN))
    rows = store.bronze_query(declaration, f"(from {table} where {which})")
    store.con.execute(f"update {table} as stored set {derived} from ({rows}) as derived where {same}")


def _bronze_slices(
    store: Store, declaration: Declaration, window: Window
) -> tuple[dict[dt.date, list[Slice]], dict[dt.date, int]]:
    rows = store.con.execute(
        f"select arrived_on, read_on, count(*), sum({content_hash(declaration)})::hugeint, count(problem) "
        f"{stored(declaration).rows_in(window)} group by all order by all"
    ).fetchall()
    slices: dict[dt.date, list[Slice]] = {}
    unreadable: dict[dt.date, int] = {}
    for arrived_on, read_on, count, content, problems in rows:
        slices.setdefault(arrived_on, []).append(Slice(read_on, count, content))
        unreadable[arrived_on] = unreadable.get(arrived_on, 0) + problems
    return slices, unreadable


def _damaged_files(store: Store, declaration: Declaration, window: Window) -> dict[dt.date, list[str]]:
    """Returns the files of each arrival day that are cut off or damaged."""
    rows = store.con.execute(
        f"select distinct arrived_on, source_file {stored(declaration).rows_in(window)} "
        f"and contains(problem, {literal(reading.LAND_WHOLE)}) order by all"
    ).fetchall()
    damaged: dict[dt.date, list[str]] = {}
    for arrived_on, name in rows:
        damaged.setdefault(arrived_on, []).append(name)
    return damaged
