"""The statements of a map: bound and run, and what is said of the lines that they read."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress

import duckdb

from ecom_assets.errors import misspelt
from ecom_assets.landing.provenance import ORIGIN as ORIGIN_COLUMNS
from ecom_assets.landing.provenance import sql_types
from ecom_assets.landing.zone import kind_of
from ecom_assets.sources.feed_map.model import FeedMap, Source
from ecom_assets.sources.feed_map.pieces import unread_pieces
from ecom_assets.sources.feed_map.query import (
    LANDED,
    LINES,
    ORIGIN,
    Query,
    QueryError,
    Readings,
    as_text,
    complaints_of_columns,
    missing_column,
    missing_in,
    mistake_of,
)
from ecom_assets.sources.feed_map.report import Misses
from ecom_assets.sources.feed_map.sources import SourceFile
from ecom_assets.sources.feed_map.sql import noted, unfit_note
from ecom_assets.sql import identifier


def run_statement(con: duckdb.DuckDBPyConnection, feed_map: FeedMap, query: Query, time_zone: str) -> None:
    """Makes tables of a statement's rows, as text, and of the lines that they come from. Raises QueryError."""
    promised = feed_map.promised(query.feed)
    try:
        con.execute(f"create or replace temp table made as {query.traced()}")
    except duckdb.Error as error:
        raise mistake_of(_error_as_written(con, query) or error, ()) from error
    types = {name: kind for name, kind, *_ in con.execute("describe made").fetchall()}
    if complaints := complaints_of_columns(con, "made", types, promised):
        raise QueryError(" ".join(complaints))
    texts = ", ".join(
        f"{as_text(name, kind, promised.columns[name.lower()].kind, time_zone)} as {identifier(name.lower())}"
        for name, kind in types.items()
        if name.lower() not in (ORIGIN, LINES)
    )
    con.execute(f"create table {identifier(f'rows of {query.feed}')} as select {texts}, origin from made")
    of_lines = "unnest(origins)" if LINES in types else "origin"
    con.execute(
        f"""create table {identifier(f"lines of {query.feed}")} as
        select distinct line.source_file, line.record from (select {of_lines} as line from made); drop table made"""
    )
    [(lost,)] = con.execute(
        f"select count(*) from {identifier(f'rows of {query.feed}')} where origin is null"
    ).fetchall()
    if lost:
        raise QueryError(f"{lost} rows of {query.feed} have no origin; select that of another table too.")


def wrong_columns(con: duckdb.DuckDBPyConnection, feed_map: FeedMap, query: Query) -> list[QueryError]:
    """Returns what is wrong with the columns of a statement that has mistakes in names of its sources too."""
    made = f"({query.traced()})"
    with suppress(duckdb.Error):
        types = {name: kind for name, kind, *_ in con.execute(f"describe from {made}").fetchall()}
        return [QueryError(each) for each in complaints_of_columns(con, made, types, feed_map.promised(query.feed))]
    return []


def misses_of(con: duckdb.DuckDBPyConnection, query: Query) -> Iterator[tuple[str, Misses]]:
    """Yields, for each left join of a statement and each file, what the join does not find for its lines.

    Lines that have nothing to look for are not counted.
    """
    missed, record = "filter (found is null)", "origin.record"
    for number, lookup in enumerate(query.lookups()):
        with suppress(duckdb.Error):
            rows = con.execute(f"""
                select origin.source_file, count(distinct {record}), count(distinct {record}) {missed},
                    arg_min(sought, {record}) {missed}, min({record}) {missed}
                from ({lookup.sql}) where sought is null or sought <> '' group by all order by all""").fetchall()
            for name, *counted in rows:
                yield name, Misses(query.feed, number, lookup.of, *counted)


def unread_of(con: duckdb.DuckDBPyConnection, query: Query) -> Iterator[tuple[str, str]]:
    """Yields, for each file, the calls that read texts in a statement and do not fit all of its values."""
    for together in query.readings():
        try:
            yield from _unread_by(con, query.feed, together)
        except duckdb.Error:
            for alone in together.apart():
                with suppress(duckdb.Error):
                    yield from _unread_by(con, query.feed, alone)


def _unread_by(con: duckdb.DuckDBPyConnection, feed: str, readings: Readings) -> list[tuple[str, str]]:
    notes = []
    for number in range(len(readings.calls)):
        sent = identifier(f"sent {number}")
        some = f"trim({sent}) <> ''"
        notes.append(unfit_note(f"{number}", sent, "origin.record", some, f"{some} and {readings.unfit(number)}"))
    query = f"select origin.source_file, {noted(notes)} from ({readings.sql()}) group by all order by all"
    found = [(name, *note.split(" ", 1)) for name, some in con.execute(query).fetchall() for note in some]
    return [(name, f"{feed}: {readings.written(int(number))} {told}") for name, number, told in found]


def unread_pieces_of(
    con: duckdb.DuckDBPyConnection,
    feed_map: FeedMap,
    source: Source,
    files: Sequence[SourceFile],
    wanted: Collection[str],
    columns: Mapping[str, Sequence[str]],
) -> Mapping[str, Mapping[str, tuple[int, int]]]:
    """Returns, per file, the pieces of nested JSON that no feed reads, by kind, and how many there are."""
    if not _has_json(files) or any(query.has_star for query in feed_map.queries):
        return {}
    used = [name for name in columns[source.name] if name.lower() in wanted]
    _create_view(con, source.name, columns[source.name], ())
    with suppress(duckdb.Error):
        return unread_pieces(con, source.name, used, feed_map.queries)
    return {}


def _error_as_written(con: duckdb.DuckDBPyConnection, query: Query) -> duckdb.Error | None:
    """Returns DuckDB's error for a statement without what was added to it; None if it runs."""
    try:
        con.execute(query.text).fetchall()
    except duckdb.Error as error:
        return error
    return None


def bind(
    con: duckdb.DuckDBPyConnection,
    feed_map: FeedMap,
    query: Query,
    files: Mapping[str, Sequence[SourceFile]],
    columns: Mapping[str, list[str]],
    absent: Mapping[str, list[str]],
) -> Iterator[QueryError]:
    """Makes the views that a statement reads. Yields its mistakes, those in names one by one.

    A key that no record of JSON has is null, unless another may be meant; so is each column of a source without files.
    It is added to the `absent` columns of its source.
    """
    known = [column for name in query.sources for column in columns[name]]
    known += [column for feed in query.landed for column in feed_map.promised(feed).columns]
    while True:
        for name in query.sources:
            _create_view(con, name, columns[name], [one for one in absent[name] if one not in columns[name]])
        try:
            con.execute(f"prepare statement_of_feed as\n{query.text}")
        except duckdb.Error as error:
            missing, alias = missing_column(error), missing_in(error)
            of_landed = query.aliases.get(alias or "", "").startswith(f"{LANDED}.")
            meant = [name for name in query.sources if alias is None or query.aliases.get(alias) == name]
            theirs = known if of_landed or alias is None else [column for name in meant for column in columns[name]]
            mistake = mistake_of(error, theirs or known)
            mistake.line = max(1, mistake.line - 1)
            if missing is None or of_landed:
                yield mistake
                return
            optional = {column for name in meant for column in feed_map.sources[name].optional}
            lackers = [
                name for name in meant if may_lack(files[name], missing, [one for one in theirs if one not in optional])
            ]
            lacking = absent[[*lackers, *meant, *query.sources][0]]
            if not lackers or missing in lacking:
                yield mistake
            if missing in lacking:
                return
            lacking.append(missing)
        else:
            con.execute("deallocate statement_of_feed")
            return


def _create_view(con: duckdb.DuckDBPyConnection, source: str, columns: Sequence[str], absent: Sequence[str]) -> None:
    """Creates the table of a source that statements see: its readable lines, with their origin."""
    origin = ", ".join(f"{name}: {name}" for name in sql_types(ORIGIN_COLUMNS))
    texts = [*map(identifier, columns), *(f"null::varchar as {identifier(name)}" for name in absent)]
    con.execute(
        f"""create or replace temp view {identifier(source)} as
        select {", ".join([*texts, f"{{{origin}}} as {ORIGIN}"])}
        from {identifier(f"sent {source}")} where problem is null"""
    )


def may_lack(files: Sequence[SourceFile], column: str, columns: Sequence[str]) -> bool:
    """Returns whether no record of a source has a column because it need not: of JSON, unless another may be meant."""
    return not files or (_has_json(files) and not misspelt(column, columns))


def _has_json(files: Sequence[SourceFile]) -> bool:
    kinds = [kind_of(file.name) for file in files]
    return any(kind and kind.format == "jsonl" for kind in kinds)
