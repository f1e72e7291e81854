"""Why the total of a table-day changed: parts by cause, which add up to the difference.

The rows of a fact that differ after a write say by how much, and the rows in silver of the same keys say why. What is
made of facts is made once more, of the differing rows alone: an amount is a sum, so the difference of two totals is the
total of what differs. What this does not explain is a part of its own.
"""

import logging
from functools import cache

import duckdb

from ecom_assets.days import Window
from ecom_assets.declaration import Catalog, Declaration, Read
from ecom_assets.engine.compiling import MISTAKES, compiled, over
from ecom_assets.engine.duckdb.parsing import text_of
from ecom_assets.engine.duckdb.tables import SQL_TYPES, columns_read, quarantine, stored, superseded
from ecom_assets.landing.provenance import ORIGIN, WINNER, column_list
from ecom_assets.sql import identifier, literal, quoted, transaction
from ecom_assets.warehouse.ledger import restatements as ledger
from ecom_assets.warehouse.ledger.restatements import Because
from ecom_assets.warehouse.store import Store

MAX_ROWS = 1_000_000
"""Rows of a window above which those that differ are not looked for."""
SAMPLES = 5
_log = logging.getLogger(__name__)


def remember(store: Store, declaration: Declaration, window: Window) -> bool:
    """Keeps what was told of a window of a table, before a write. Returns whether it leaves something to explain."""
    if declaration.name not in _explained(store.catalog):
        return False
    try:
        if not ledger.remember_days(store.con, declaration.name, window):
            return False
        store.con.execute("drop table if exists temp.rows_before")
        table, rows = stored(declaration), stored(declaration).rows_in(window)
        is_as_declared = table.columns.items() <= store.stored_types(declaration.name).items()
        if (
            is_as_declared
            and _sources(store.catalog, declaration)
            and store.count(f"select count(*) {rows}") <= MAX_ROWS
        ):
            store.con.execute(f"create temp table rows_before as select {table.listed} {rows}")
    except duckdb.Error:
        _log.warning("Why the totals of %s change cannot be recorded.", declaration.name, exc_info=True)
        return False
    return True


def explain(store: Store, declaration: Declaration, window: Window) -> None:
    """Records the parts by which the totals of a window differ from those before a write, which is committed.

    An error is logged: the parts are then missing, and the published view says so.
    """
    try:
        with transaction(store.con):
            days, changed = ledger.compare_days(store.con, declaration.name, store.catalog.upstream(declaration.name))
            is_fact = bool(_sources(store.catalog, declaration))
            if not (days if is_fact else changed):
                return
            _make_place(store, declaration)
            (_take_differing_rows if is_fact else _make_differing_rows)(store, declaration, window)
            ledger.record_parts(store.con, declaration.name, _parts(declaration))
    except (duckdb.Error, *MISTAKES):
        _log.warning("Why the totals of %s changed could not be recorded.", declaration.name, exc_info=True)


@cache
def _explained(catalog: Catalog) -> frozenset[str]:
    """Returns the tables above silver whose differing rows explain a total: those with an amount, and their inputs."""
    with_amount = [declaration.name for declaration in catalog if declaration.contract.amount]
    found = set(with_amount).union(*map(catalog.upstream, with_amount))
    return frozenset(name for name in found if not catalog[name].is_bronze and not catalog[name].feed)


@cache
def _sources(catalog: Catalog, declaration: Declaration) -> tuple[Declaration, ...]:
    """Returns the tables from feeds of which a fact has a row per row or more, read on the same day.

    Their keys are part of its own: by these, the records behind a differing row are found.
    """
    return tuple(
        source
        for read in declaration.reads
        if read.parameter and _is_of_day(read) and (source := catalog[read.table]).from_feed
        if set(source.contract.primary_key) <= set(declaration.contract.primary_key)
    )


def _is_of_day(read: Read) -> bool:
    return read.reach.before == read.reach.after == 0 and not read.reach.key


def _place(name: str) -> str:
    """Returns the temporary table of the differing rows of a table: with a sign, a cause and files."""
    return identifier(_place_name(name))


def _place_name(name: str) -> str:
    return f"differing rows of {name}"


def _make_place(store: Store, declaration: Declaration) -> None:
    columns = ", ".join(f"{quoted(name)} {sql_type}" for name, sql_type in stored(declaration).columns.items())
    beside = "told_on date, sign integer, cause varchar, files varchar[], recorded_at timestamp"
    store.con.execute(f"create temp table if not exists {_place(declaration.name)} ({columns}, {beside})")


def _exists(store: Store, name: str) -> bool:
    """Returns whether rows of a table differ after a write of this session."""
    return _is_kept(store, _place_name(name))


def _is_kept(store: Store, name: str) -> bool:
    return bool(store.count(f"select count(*) from duckdb_tables() where temporary and table_name = {literal(name)}"))


def _take_differing_rows(store: Store, declaration: Declaration, window: Window) -> None:
    """Adds the rows of a fact that are not as before, each with its cause."""
    if not _is_kept(store, "rows_before"):
        return
    con, table = store.con, stored(declaration)
    told = f"{table.day} in (select day from told_again)"
    new = f"select {table.listed} {table.rows_in(window)} and {told}"
    old = f"select {table.listed} from rows_before where {told}"
    con.execute(f"""
        create or replace temp table differing as
        select *, 1 as sign from ({new} except {old}) union all select *, -1 from ({old} except {new})""")
    keys = ", ".join([*table.keys, table.day])
    con.execute(f"""
        create or replace temp table differing_keys as
        select {keys}, bool_or(sign = 1) as is_there, bool_or(sign = -1) as was_there, t.written_at,
               other_code, recorded_at
        from differing join told_again t on t.day = {table.day} group by all""")
    fates = [_fates_in(store, source) for source in _sources(store.catalog, declaration)]
    joins = " ".join(
        f"left join ({sql}) s{n} on {' and '.join(f'k.{name} = s{n}.{name}' for name in names)}"
        for n, (names, sql) in enumerate(fates)
    )
    fresh = [f"coalesce(s{n}.read_at > k.written_at, false)" for n in range(len(fates))]
    is_new, has_older = " or ".join(fresh), " or ".join(f"({one} and s{n}.has_older)" for n, one in enumerate(fresh))
    is_retracted = " or ".join(f"({one} and s{n}.is_retracted)" for n, one in enumerate(fresh))
    is_refused = " or ".join(f"coalesce(s{n}.is_refused, false)" for n in range(len(fates)))
    files = ", ".join(f"if({one}, s{n}.files, [])" for n, one in enumerate(fresh))
    same = " and ".join(f"d.{name} is not distinct from k.{name}" for name in (*table.keys, table.day))
    con.execute(f"""
        insert into {_place(declaration.name)} by name
        select d.*, k.{table.day} as told_on, k.recorded_at, list_sort(list_distinct(flatten([{files}]))) as files,
               case when not k.is_there and ({is_retracted}) then {literal(Because.RETRACTED)}
                    when not k.is_there and ({is_refused}) then {literal(Because.QUARANTINED)}
                    when not k.was_there and ({is_new}) and not ({has_older}) then {literal(Because.LATE)}
                    when {is_new} then {literal(Because.CORRECTED)}
                    when k.other_code is not null then k.other_code
                    when not k.is_there then {literal(Because.WITHDRAWN)}
                    else {literal(Because.OTHER)} end as cause
        from differing d join differing_keys k on {same} {joins}""")
    con.execute("drop table differing; drop table differing_keys; drop table rows_before")


def _fates_in(store: Store, source: Declaration) -> tuple[list[str], str]:
    """Returns the key of a table from a feed, and SQL for what has become of the differing keys in it.

    That is, of the records read since the rows were last written, when they were read, their files, whether they
    replaced older ones, whether they retract the key; and whether there is a quarantined record of the key.
    """
    store.ensure(source.quarantine, quarantine(source).columns)
    store.ensure(source.superseded, superseded(source).columns)
    columns = [source.contract.columns[name] for name in source.contract.primary_key]
    names = [quoted(column.name) for column in columns]
    keys = ", ".join(
        f"try_cast({text_of(column)} as {SQL_TYPES[column.kind]}) as {name}"
        for column, name in zip(columns, names, strict=True)
    )
    listed, origin = ", ".join(names), column_list(ORIGIN)
    arrivals = ledger.arrivals_of(source.bronze)
    replaced = ", ".join(f"{by.name} as {own.name}" for by, own in zip(WINNER, ORIGIN, strict=True))
    return (
        names,
        f"""
        with wanted as (select distinct {listed} from differing_keys),
        fresh as (select * from ({arrivals}) where read_at > (select min(written_at) from differing_keys)),
        records as (
            select * from (select {keys}, {origin}, read_at from {quoted(source.bronze)} join fresh using (arrived_on))
            semi join wanted using ({listed})),
        replacing as (
            select distinct {replaced}, true as has_older from {quoted(source.superseded)}
            where kind in ('superseded', 'conflict') and arrived_on not in (select arrived_on from fresh)),
        retracting as (
            select distinct {origin}, true as is_retracted from {quoted(source.superseded)} where kind = 'retraction'),
        fates as (
            select {listed}, max(read_at) as read_at, coalesce(bool_or(has_older), false) as has_older,
                   coalesce(bool_or(is_retracted), false) as is_retracted,
                   list(distinct {literal(source.feed_name)} || '/' || arrived_on || '/' || source_file) as files
            from records left join replacing using ({origin}) left join retracting using ({origin}) group by all),
        refused as (
            select distinct {listed}, true as is_refused from (select {keys} from {quoted(source.quarantine)})
            semi join wanted using ({listed}))
        select * from fates full join refused using ({listed})""",
    )


def _make_differing_rows(store: Store, declaration: Declaration, window: Window) -> None:
    """Adds the rows that a table makes of the differing rows alone that it reads on the same day, cause by cause.

    What it makes of nothing, such as costs that it reads elsewhere, is taken off each time.
    """
    sql = compiled(declaration, store.catalog).transform
    of_day = {str(read.parameter): read for read in declaration.reads if read.parameter and _is_of_day(read)}
    places = {parameter: _place(read.table) for parameter, read in of_day.items() if _exists(store, read.table)}
    if not sql or not places:
        return
    told = "{} p where exists (from told_again t where t.day = p.told_on and p.recorded_at > t.since)"
    differing = " union ".join(f"select distinct cause, sign from {told.format(place)}" for place in places.values())
    parts = store.con.execute(f"from ({differing}) order by all").fetchall()
    inputs = {parameter: query.sql for parameter, query in store.inputs(declaration, window).items()}
    nothing = {parameter: f"from ({inputs[parameter]}) where false" for parameter in of_day}
    made_of_nothing = over(inputs | nothing, sql) if inputs.keys() != nothing.keys() else None
    for cause, sign in parts:
        changed = {}
        for parameter, place in places.items():
            read = of_day[parameter]
            listed = ", ".join(map(quoted, columns_read(store.catalog[read.table], read)))
            changed[parameter] = (
                f"select {listed} from {told.format(place)} and cause = {literal(cause)} and sign = {sign}"
            )
        _add(store, declaration, over(inputs | nothing | changed, sql), cause, sign)
        if made_of_nothing:
            _add(store, declaration, made_of_nothing, cause, -sign)


def _add(store: Store, declaration: Declaration, rows: str, cause: str, sign: int) -> None:
    """Adds rows to the differing ones of a table."""
    table = stored(declaration)
    store.con.execute(f"""
        insert into {_place(declaration.name)} by name
        select r.*, t.day as told_on, {sign} as sign, {literal(cause)} as cause, t.recorded_at, [] as files
        from (select {table.listed} from ({rows})) r join told_again t on t.day = r.{table.day}""")


def _parts(declaration: Declaration) -> str:
    """Returns SQL for day, cause, amount, row_count, files and samples of the differing rows of a table."""
    table, amount = stored(declaration), declaration.contract.amount
    value = f"sign * coalesce({quoted(amount)}, 0)" if amount else "0"
    key = " || ', ' || ".join(f"coalesce({name}::varchar, '')" for name in table.keys)
    return f"""
        select day, cause, sum(amount)::decimal(38, 4) as amount, count(distinct key) as row_count,
               list_sort(list_distinct(flatten(list(files))))[:{SAMPLES}] as files,
               list_sort(list(distinct key))[:{SAMPLES}] as samples
        from (select told_on as day, cause, {value} as amount, {key} as key, files
              from {_place(declaration.name)}
              where (told_on, recorded_at) in (select (day, recorded_at) from told_again))
        group by all"""
