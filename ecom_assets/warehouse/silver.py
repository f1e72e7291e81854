"""Silver from bronze: each row ends in exactly one of accepted, quarantined, superseded."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ecom_assets.contract import (
    CORRECTED_ON_GOOD_DAYS,
    REFERS_TO_GOOD_DAYS,
    REFERS_TO_KNOWN,
    REFERS_WITHIN_CALENDAR,
    Column,
)
from ecom_assets.days import State, Window
from ecom_assets.declaration import Declaration
from ecom_assets.engine.duckdb.hashing import content_hash
from ecom_assets.engine.duckdb.parsing import rounded_count, stripped, text_of, useless_day_codes
from ecom_assets.engine.duckdb.tables import REASONS_TYPE, quarantine, stored, superseded
from ecom_assets.engine.reasons import as_sql, with_reasons
from ecom_assets.landing.provenance import ORIGIN, REASON_CODES, REASONS, column_list
from ecom_assets.sql import among, between, literal, literals, named_between, quoted
from ecom_assets.warehouse.conversion import convert, watched_currencies, watched_rates
from ecom_assets.warehouse.keys import watched_rows
from ecom_assets.warehouse.ledger.records import DayResult, Missing, Slice, bad_days, rows_by_read_day
from ecom_assets.warehouse.ledger.staleness import expectations
from ecom_assets.warehouse.outcome import SAMPLE_ROWS, conclude, counted, entry_of, gate, good_state
from ecom_assets.warehouse.references import (
    has_arrived,
    is_inferred,
    keys_of_bad_days,
    older_keys,
    retracted_keys,
    watched,
    with_survivors,
)
from ecom_assets.warehouse.store import Store

_RECORD = column_list(ORIGIN)
# Not x.sentence: that would be a field of a feed's column x, if it has one.
_COMPETES = "(reasons is null or waits_for is not null)"
"""SQL: whether a staged row may be the one that counts, now or once what it refers to has arrived."""
_SENTENCES, _CODES = "[struct_extract(x, 'sentence') for x in reasons]", "[struct_extract(x, 'code') for x in reasons]"


IS_NOT_REPEATED = "No file repeats most of the rows of another one."
_REPEATED_ROWS = 20
"""The fewest rows of a day in a file that can be a repeat: a few late ones may all have been sent twice."""
_NOT_ROUNDED = "Amounts have no more decimals than round_amounts in feeds.toml allows, nor quantities more than four."


class RowsLost(Exception):
    """Input and output rows do not add up: a bug of the platform or of a transform."""


def write_from_feed(store: Store, declaration: Declaration, rows: str, window: Window) -> list[DayResult]:
    """Each bronze row of the window ends in exactly one of accepted, quarantined, superseded."""
    con = store.con
    closed = gate(store, declaration, window)
    with store.transaction():
        store.ensure(declaration.name, stored(declaration).columns)
        store.ensure(declaration.quarantine, quarantine(declaration).columns)
        store.ensure(declaration.superseded, superseded(declaration).columns)
        _stage(store, declaration, rows)
        store.on_step("rows staged")
        results = _judge_days(store, declaration, window, closed)
        if store.can_move(declaration) and _let_corrected_rows_count(store, declaration, window, results):
            good = _judge_days(store, declaration, window, closed, accept_all=True)
            results = [again if first.state.is_good else first for first, again in zip(results, good, strict=True)]
        accepted_days = [result.day for result in results if result.state.is_good]
        with (
            watched(store, declaration, window),
            watched_rows(store, declaration, window),
            watched_rates(store, declaration, window),
            watched_currencies(store, declaration, window),
        ):
            _place_rows(store, declaration, window, accepted_days, closed)
        store.on_step("rows inserted")
        _check_conservation(store, declaration, window, accepted_days)
        expected = expectations(con, store.catalog, declaration, window, store.calendar)
        contents = _accepted_contents(store, declaration, window)
        for n, result in enumerate(results):
            if result.state.is_good:
                count = contents[result.day].row_count if result.day in contents else 0
                waits = result.warned.keys() & {CORRECTED_ON_GOOD_DAYS, REFERS_TO_GOOD_DAYS}
                state = State.PROVISIONAL if waits else good_state(expected[result.day])
                results[n] = replace(result, state=state, row_count=count)
        slices = {day: (contents.get(day, Slice(day, 0, 0)),) for day in window}
        conclude(store, declaration, [entry_of(r, expected[r.day], slices[r.day]) for r in results])
        con.execute("drop table staged; drop table losers; drop table if exists left_out")
    return results


def _stage(store: Store, declaration: Declaration, rows: str) -> None:
    """Makes the temporary table `staged`, with the reasons against each row, and those of superseded rows.

    Of a row on a good day, `corrected_on` is the day of its correction, and `awaited_on` that of what it refers to, if
    these days have no good rows.
    """
    con, promise, table = store.con, declaration.contract, stored(declaration)
    day = table.day
    rows = with_reasons(declaration, with_survivors(store, declaration, rows), store.catalog)
    con.execute(f"""
        create or replace temp table staged as
        select *, hash({table.key}) as key, {content_hash(declaration)} as content, null::{REASONS_TYPE} as waits_for,
               false as is_superseded, true as counts_in_share, false as refers_to_older,
               false as refers_to_inferred, null::date as corrected_on, null::date as awaited_on
        from ({rows})""")
    convert(store, declaration)
    for column in promise.references:
        target = store.catalog[str(column.references)]
        others = stored(target)
        store.ensure(target.name, others.columns)
        value, wanted = quoted(column.name), others.keys[0]
        if not column.on_same_day and not has_arrived(store, target):
            refers = f"reasons is null and not retracts and {value} is not null"
            con.execute(f"update staged set refers_to_inferred = true where {refers}")
            continue
        matched, theirs, near = value, wanted, named_between(others.day, store.calendar)
        if column.on_same_day:
            matched, theirs = f"({value}, {day})", f"({wanted}, {others.day})"
            near += f" and {others.day} in (select distinct {day} from staged)"
        is_missing = f"""reasons is null and not retracts and {value} is not null and {matched} not in (
                select {theirs} from {others.name}
                where {wanted} in (select distinct {value} from staged) and {near})"""
        if is_inferred(store, target):
            con.execute(f"update staged set refers_to_inferred = true where {is_missing}")
            continue
        con.execute(f"""
            update staged set waits_for = list_append(coalesce(waits_for, []), {as_sql(column.missing_reference)})
            where {is_missing}""")
        if not column.on_same_day and target.from_feed:
            _accept_older(store, target, column)
        if target.from_feed and not store.strict:
            con.execute(f"""
                update staged set counts_in_share = false
                where waits_for is not null and {value} in ({retracted_keys(store, target, store.calendar)})""")
        if target.from_feed and not column.on_same_day and (keys := keys_of_bad_days(store, target)):
            con.execute(f"""
                update staged set counts_in_share = {store.strict}, awaited_on = on_day
                from ({keys}) where waits_for is not null and {value} = k and {day} <> on_day""")
    con.execute("update staged set reasons = waits_for where reasons is null and waits_for is not null")
    _stage_superseded(store, declaration, "true")
    if not store.strict:
        _leave_out_undated(store, declaration)


def _stage_superseded(store: Store, declaration: Declaration, which: str) -> None:
    """Makes the temporary tables `losers` and `left_out`, with the rows that supersede those of `staged`.

    Only rows that meet a condition compete.
    """
    con, table = store.con, stored(declaration)
    day, competes = table.day, f"{_COMPETES} and {which}"
    if store.has_complete_groups(declaration):
        _stage_left_out(store, declaration, competes)
    identifying = declaration.feed_contract.identifying
    facts = "".join(f", {quoted(name)} as {quoted(f'fact {name}')}" for name in identifying)
    differs = " and ".join(f"{quoted(f'fact {name}')} <> winner[{literal(f'fact {name}')}]" for name in identifying)
    # The best row without a reason wins. A waiting row is superseded only by a better one: it may still win. A winner
    # that retracts its key is left out like the rows that it supersedes.
    con.execute(f"""
        create or replace temp table losers as
        with competing as (
            select rowid as staged_row, * from staged where {competes} and not is_superseded),
        ranked as (
            select staged_row, {_RECORD}, {day} as day, content, reasons, retracts, {table.key}{facts},
                   {_rank(declaration, table.key)} as place
            from competing
            where key in (select key from competing group by key having count(*) > 1 or bool_or(retracts)))
        select * replace (case when place > winning_place then winner end as winner),
               coalesce({differs or "false"}, false) as conflicts
        from (
            select *, min(place) filter (reasons is null) over one as winning_place,
                   {_winner(identifying)} over one as winner
            from ranked window one as (partition by {table.key}))
        where place > winning_place or place = winning_place and retracts""")
    con.execute("update staged set is_superseded = true, reasons = null where rowid in (select staged_row from losers)")


def _let_corrected_rows_count(
    store: Store, declaration: Declaration, window: Window, results: Sequence[DayResult]
) -> bool:
    """Lets rows of good days count if what supersedes them is on a day without good rows. Returns whether any is.

    Whether a day is good was judged before, with all rows competing: it depends on no other day.
    """
    con, table = store.con, stored(declaration)
    bad = [result.day for result in results if not result.state.is_good]
    bad += [day for day in bad_days(con, declaration.name, store.calendar) if day not in window]
    if not bad:
        return False
    winner = "struct_pack(a := b.arrived_on, f := b.source_file, r := b.record)"
    for lost in _lost(store, declaration):
        con.execute(f"""
            update staged set corrected_on = found.on_day
            from (select {column_list(ORIGIN, "l")}, b.{table.day} as on_day
                  from {lost} l join staged b on struct_pack(a := winner.a, f := winner.f, r := winner.r) = {winner}
                  where {among(f"b.{table.day}", bad)} and not {among("l.day", bad)}) found
            where ({column_list(ORIGIN, "staged")}) = ({column_list(ORIGIN, "found")})""")
    if not store.count("select count(*) from (select 1 from staged where corrected_on is not null limit 1)"):
        return False
    good = f"not {among(table.day, bad)}"
    con.execute(f"update staged set is_superseded = false, reasons = waits_for where is_superseded and {good}")
    _stage_superseded(store, declaration, good)
    return True


def _lost(store: Store, declaration: Declaration) -> list[str]:
    """Returns the temporary tables of superseded rows."""
    return ["losers", "left_out"] if store.has_complete_groups(declaration) else ["losers"]


def _leave_out_undated(store: Store, declaration: Declaration) -> None:
    """Leave rows without a usable event day out of the share of their arrival day.

    A row whose day cannot be read may be of that day: it counts if no row of the day is good.
    """
    day, feed = stored(declaration).day, declaration.feed_contract
    no_day, *other_days = useless_day_codes(feed.columns[feed.event_column])
    store.con.execute(f"""
        update staged set counts_in_share = false
        where list_has_any({_CODES}, [{literals(other_days)}])
            or (list_contains({_CODES}, {literal(no_day)})
                and {day} in (select {day} from staged where reasons is null and not is_superseded))""")


def _accept_older(store: Store, target: Declaration, column: Column) -> None:
    """Marks rows that refer to a row from before the calendar's first day, which is known but has no day."""
    code, of = literal(column.missing_reference.code), "struct_extract(x, 'code')"
    store.con.execute(f"""
        update staged set refers_to_older = true,
            waits_for = nullif(list_filter(waits_for, lambda x: {of} <> {code}), []::{REASONS_TYPE})
        where list_contains([{of} for x in waits_for], {code})
            and {quoted(column.name)} in (select k from ({older_keys(store, target)}))""")


def _stage_left_out(store: Store, declaration: Declaration, competes: str) -> None:
    """Supersedes rows whose key is missing from the latest arrival of their group, of those that meet a condition.

    That is the arrival of the group's best row without a reason. It holds a key also if its row of it is bad.
    """
    day, group = stored(declaration).day, ", ".join(map(quoted, store.group(declaration)))
    store.con.execute(f"""
        create or replace temp table left_out as
        with ranked as (
            select {_RECORD}, {day} as day, content, key, reasons, {group}, {_rank(declaration, group)} as place
            from staged where {competes})
        select * from (
            select *, min(place) filter (reasons is null) over one as winning_place,
                   {_winner(())} over one as winner, false as conflicts
            from ranked window one as (partition by {group}))
        where place > winning_place
            and (key, winner.a, winner.f) not in (select (key, arrived_on, source_file) from staged)""")
    store.con.execute(f"""
        update staged set is_superseded = true, reasons = null
        where ({_RECORD}) in (select ({_RECORD}) from left_out)""")


def _winner(facts: Sequence[str]) -> str:
    """Returns SQL for the best row without a reason: its place of arrival, content and facts."""
    origin = "'a': arrived_on, 'f': source_file, 'r': record, 'c': content"
    named = "".join(f", {literal(f'fact {name}')}: {quoted(f'fact {name}')}" for name in facts)
    return f"arg_min({{{origin}{named}}}, place) filter (reasons is null)"


def _rank(declaration: Declaration, group: str) -> str:
    """Returns SQL for the place of a row among those of its group, from 1, the best."""
    column = declaration.feed_contract.version_column
    version = f"{quoted(column)} desc nulls last, " if column else ""
    return f"row_number() over (partition by {group} order by {version}arrived_on desc, source_file desc, record desc)"


def _corrected(store: Store, declaration: Declaration) -> dict[dt.date, int]:
    """Returns, per day, the bad rows that do not count because a better row of their key, a correction, counts."""
    table = stored(declaration)
    return dict(
        store.con.execute(f"""
            with ranked as (
                select {table.day} as on_day, reasons, counts_in_share, {table.key},
                       {_rank(declaration, table.key)} as place
                from staged where key in (select key from staged where reasons is not null)),
            corrected as (
                select on_day from ranked
                qualify reasons is not null and counts_in_share
                    and place > min(place) filter (reasons is null) over (partition by {table.key}))
            select on_day, count(*) from corrected group by all""").fetchall()
    )


def _judge_days(
    store: Store, declaration: Declaration, window: Window, closed: Mapping[dt.date, str], accept_all: bool = False
) -> list[DayResult]:
    """Each day passes while its bad rows are within the limits, superseded rows apart; or in any case."""
    con, promise = store.con, declaration.contract
    day = stored(declaration).day
    counts = {
        on: rest
        for on, *rest in con.execute(
            f"select {day}, count(*), count(reasons), count(*) filter (is_superseded), "
            "count(*) filter (not counts_in_share), "
            "count(*) filter (refers_to_older and reasons is null and not is_superseded), "
            "count(*) filter (refers_to_inferred and reasons is null and not is_superseded), "
            "count(*) filter (awaited_on is not null and reasons is not null), "
            "count(*) filter (corrected_on is not null and reasons is null and not is_superseded)"
            f"{counted(promise.soft_rules, 'warned')} from staged group by all"
        ).fetchall()
    }
    reasons: dict[dt.date, dict[str, int]] = {}
    for on, reason, count in con.execute(
        f"select day, reason, count(*) as n from (select {day} as day, unnest(reasons).sentence as reason from staged "
        "where reasons is not null) group by all order by n desc, reason"
    ).fetchall():
        reasons.setdefault(on, {})[reason] = count
    samples = _staged_samples(store, declaration)
    missing = _missing_values(store, declaration, window)
    rounded = _rounded_amounts(store, declaration, window)
    limits = store.limits(declaration)
    may_fail = any(
        limits.are_exceeded(bad - apart, rows - superseded - apart)
        for rows, bad, superseded, apart, *_ in counts.values()
    )
    corrected = _corrected(store, declaration) if may_fail else {}
    conflicts = dict(con.execute("select day, count(*) from losers where conflicts group by all").fetchall())
    repeats, waiting = _repeats(store, declaration), _waiting(store, declaration)
    soft = [_NOT_ROUNDED, REFERS_WITHIN_CALENDAR, REFERS_TO_KNOWN, REFERS_TO_GOOD_DAYS, CORRECTED_ON_GOOD_DAYS]
    soft += [declaration.feed_contract.versions_meet, IS_NOT_REPEATED]
    soft += [rule.sentence for rule in promise.soft_rules]
    results = []
    for on in window:
        nothing = [0] * (8 + len(promise.soft_rules))
        rows, bad, superseded, apart, older, inferred, awaiting, corrected_later, *warned = counts.get(on, nothing)
        if on in closed:
            results.append(DayResult(on, State.BLOCKED, note=closed[on]))
            continue
        apart += corrected.get(on, 0)
        again = repeats.get(on, [])
        found = [rounded.get(on, 0), older, inferred, awaiting, corrected_later]
        found += [conflicts.get(on, 0), len(again), *warned]
        left, of = bad - apart, rows - superseded - apart
        failed = not accept_all and limits.are_exceeded(left, of)
        allowed = f"{limits.max_bad_share:.1%}"
        note = f"{left} of {of} rows are quarantined, more than the allowed {allowed}"
        note = note if failed else "; ".join([*again, *waiting.get(on, ())])
        results.append(
            DayResult(
                on,
                State.FAILED if failed else State.STORED,
                bad_count=bad,
                note=note,
                broken=dict(list(reasons.get(on, {}).items())[:20]),
                warned={sentence: n for sentence, n in zip(soft, found, strict=True) if n},
                samples=samples.get(on, ()),
                checked_count=rows - superseded,
                missing=missing.get(on, {}),
            )
        )
    return results


def _repeats(store: Store, declaration: Declaration) -> dict[dt.date, list[str]]:
    """Returns, per day, the files that repeat most of the day's rows of an earlier one, as sentences.

    Members may be sent again each day: a file of theirs repeats nothing.
    """
    if declaration.is_of_members:
        return {}
    day = stored(declaration).day
    rows = store.con.execute(f"""
        with again as (
            select day, arrived_on, source_file, winner.a as later_on, winner.f as later_file, count(*) as n
            from losers where content = winner.c and (arrived_on, source_file) <> (winner.a, winner.f)
            group by all having n >= {_REPEATED_ROWS}),
        sent as (
            select {day} as day, arrived_on, source_file, count(*) as of_all from staged
            where {day} in (select day from again) group by all)
        select day, later_on || '/' || later_file || ' repeats ' || n || ' of ' || of_all || ' rows of ' || arrived_on
            || '/' || source_file as sentence
        from again join sent using (day, arrived_on, source_file) where n * 2 > of_all order by all""").fetchall()
    found: dict[dt.date, list[str]] = {}
    for on, sentence in rows:
        found.setdefault(on, []).append(sentence)
    return found


def _waiting(store: Store, declaration: Declaration) -> dict[dt.date, list[str]]:
    """Returns, per day, the days without good rows that its rows wait for, as sentences."""
    day = stored(declaration).day
    rows = store.con.execute(f"""
        select {day}, count(*)::varchar || case count(*) when 1 then ' row waits' else ' rows wait' end
            || ' for what was sent for ' || awaited_on || ', a day without good rows' as sentence
        from staged where awaited_on is not null and reasons is not null group by {day}, awaited_on
        union all
        select {day}, count(*)::varchar || case count(*) when 1 then ' row counts' else ' rows count' end
            || ' as before a correction of ' || corrected_on || ', a day without good rows'
        from staged where corrected_on is not null and reasons is null and not is_superseded
        group by {day}, corrected_on order by all""").fetchall()
    found: dict[dt.date, list[str]] = {}
    for on, sentence in rows:
        found.setdefault(on, []).append(sentence)
    return found


def _missing_values(store: Store, declaration: Declaration, window: Window) -> dict[dt.date, dict[str, Missing]]:
    """Returns how many of each day's bronze rows have no value, by column with words for nothing, if any have none."""
    columns = [column for column in declaration.feed_contract.columns.values() if column.words_for_nothing]
    counts = "".join(
        f", count(*) filter ({text_of(column)} is null)"
        f", count(*) filter ({text_of(column)} is null and {stripped(quoted(column.name))} <> '')"
        for column in columns
    )
    rows = store.con.execute(f"""
        select read_on{counts} from {quoted(declaration.bronze)}
        where {between("read_on", window)} and {between("arrived_on", store.calendar)} group by read_on""").fetchall()
    found = {}
    for on, *of_columns in rows:
        pairs = zip(of_columns[::2], of_columns[1::2], strict=True)
        missing = {column.name: Missing(*pair) for column, pair in zip(columns, pairs, strict=True)}
        found[on] = {name: counted for name, counted in missing.items() if counted.row_count}
    return found


def _rounded_amounts(store: Store, declaration: Declaration, window: Window) -> dict[dt.date, int]:
    """Returns how many amounts of each day's bronze rows are rounded, by the settings of the feed."""
    decimals = store.zone.settings(declaration.feed_name).round_amounts
    if decimals is None:
        return {}
    changed = rounded_count(declaration.feed_contract.columns.values(), decimals)
    rows = store.con.execute(f"""
        select read_on, sum({changed})::bigint from {quoted(declaration.bronze)}
        where {between("read_on", window)} and {between("arrived_on", store.calendar)} group by read_on""")
    return dict(rows.fetchall())


def _staged_samples(store: Store, declaration: Declaration) -> dict[dt.date, list[dict[str, str | None]]]:
    """Returns a few bad rows of each day that has any."""
    table = stored(declaration)
    shown = ", ".join(f"{quoted(name)}::varchar" for name in table.columns)
    place = f"row_number() over (partition by {table.day} order by {_RECORD})"
    found = store.con.execute(
        f"select {table.day}, {shown}, {_SENTENCES}::varchar from staged "
        f"where reasons is not null qualify {place} <= {SAMPLE_ROWS} order by {_RECORD}"
    )
    names = [*table.columns, REASONS.name]
    samples: dict[dt.date, list[dict[str, str | None]]] = {}
    for on, *row in found.fetchall():
        samples.setdefault(on, []).append(dict(zip(names, row, strict=True)))
    return samples


def _place_rows(
    store: Store, declaration: Declaration, window: Window, accepted: list[dt.date], closed: Mapping[dt.date, str]
) -> None:
    con, table = store.con, stored(declaration)
    for part in (table, quarantine(declaration), superseded(declaration)):
        con.execute(f"delete {part.rows_in(window)}")
    store.on_step("rows deleted")
    con.execute(
        f"insert into {table.name} ({table.listed}) select {table.listed} from staged "
        f"where reasons is null and not is_superseded "
        f"and {named_between(table.day, window)} and {among(table.day, accepted)}"
    )
    store.on_step("accepted rows inserted")
    con.execute(f"""
        insert into {quarantine(declaration).name} by name
        select b.*, {_SENTENCES} as {REASONS.name}, {_CODES} as {REASON_CODES.name}
        from {quoted(declaration.bronze)} b
        join staged s using ({_RECORD})
        where s.reasons is not null and {between("read_on", window)} and not {among("b.read_on", closed)}""")
    superseding = " union all ".join(
        f"select {_RECORD}, day, content, conflicts, winner.a, winner.f, winner.r, winner.c from {each}"
        for each in _lost(store, declaration)
    )
    con.execute(f"""
        insert into {superseded(declaration).name}
        select {_RECORD}, day as read_on,
               case when c is null then 'retraction' when content = c then 'duplicate'
                    when conflicts then 'conflict' else 'superseded' end as kind,
               a, f, r
        from ({superseding}) where {between("day", window)} and {among("day", accepted)}""")


def _check_conservation(store: Store, declaration: Declaration, window: Window, accepted: list[dt.date]) -> None:
    """Bronze rows = rows given by transform = accepted + quarantined + superseded, per day and row.

    Their number is compared with the ledger's; which rows they are, by the sum of hashes of their origins, with bronze.
    """
    if not accepted:
        return
    table = stored(declaration)
    day = table.day
    place = f"(hash({_RECORD}) >> 8)::hugeint"
    fates = " union all ".join(
        f"select {part.day}, 1, 0, {place} from {part.name} where {among(part.day, accepted)}"
        for part in (table, quarantine(declaration), superseded(declaration))
    )
    unequal = store.con.execute(f"""
        select day, coalesce(nullif(sum(placed), 0), sum(given)) as too_many from (
            select day, -row_count as placed, -row_count as given, 0 as place
            from ({rows_by_read_day(declaration.bronze, store.calendar)}) where {among("day", accepted)}
            union all {fates}
            union all select {day}, 0, 1, 0 from staged where {among(day, accepted)}
            union all select read_on, 0, 0, -{place} from {quoted(declaration.bronze)}
            where {among("read_on", accepted)} and {between("arrived_on", store.calendar)})
        group by day having sum(placed) <> 0 or sum(given) <> 0 or sum(place) <> 0 order by day""").fetchall()
    if unequal:
        on, too_many = unequal[0]
        what = f"{abs(too_many)} bronze rows are {'doubled' if too_many > 0 else 'lost'}"
        raise RowsLost(
            f"{declaration.name} on {on}: {what if too_many else 'as many bronze rows are duplicated as are lost'}. "
            "Its transform must keep every row and the columns arrived_on, source_file and record."
        )


def _accepted_contents(store: Store, declaration: Declaration, window: Window) -> dict[dt.date, Slice]:
    table = stored(declaration)
    rows = store.con.execute(
        f"select {table.day}, count(*), sum({content_hash(declaration)})::hugeint {table.rows_in(window)} group by all"
    ).fetchall()
    return {on: Slice(on, count, content) for on, count, content in rows}
