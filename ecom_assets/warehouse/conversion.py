"""Amounts in other currencies: their conversion, and the days that have to run again because a rate changes."""

from collections.abc import Iterator
from contextlib import contextmanager

from ecom_assets.contract import AMOUNT_DIGITS, CURRENCY, MISSING_RATE, RATE, RATE_IS_GOOD_FOR, Column
from ecom_assets.days import Window
from ecom_assets.declaration import Declaration
from ecom_assets.engine.compiling import judged
from ecom_assets.engine.duckdb.hashing import content_hash
from ecom_assets.engine.duckdb.parsing import reason_sql, text_of
from ecom_assets.engine.duckdb.tables import REASONS_TYPE, SQL_TYPES, quarantine, stored
from ecom_assets.landing.provenance import ORIGIN, column_list
from ecom_assets.sql import literal, quoted
from ecom_assets.warehouse.ledger.invalidation import invalidate
from ecom_assets.warehouse.ledger.records import Cause
from ecom_assets.warehouse.references import rows_sent
from ecom_assets.warehouse.store import Store

_LIMIT = 10**AMOUNT_DIGITS
_WIDE = "decimal(28,4)"
"""The type in which products of amounts and rates are computed: DuckDB has them overflow at 18 digits otherwise."""
_NO_RATE = f"""'no rate of ' || f.code || ' is known for ' || f.on_day ||
    ' or the {RATE_IS_GOOD_FOR} days before: land it in the feed exchange_rates; if ' || f.code ||
    ' is the shop''s own currency, set currency in settings.toml'"""
_TOO_LARGE = "'amounts of ten billion or more in the shop''s currency'"
_NO_CURRENCY = "'a rate is given, but not the other currency that it converts'"


def convert(store: Store, declaration: Declaration) -> None:
    """Converts amounts of staged rows in other currencies into the shop's, rounded half away from zero to 0.0001.

    The rate is the row's own, else that of the row to which it refers if that has the same currency, else the latest of
    its currency on its day or the 7 days before. A row without a rate waits for one.
    """
    if not declaration.contract.converted:
        return
    giving = _giving(declaration)
    given = _given(store, giving) if giving else None
    named = " or ".join(f"{quoted(name)} is not null" for name in _named(declaration))
    if not given and not store.count(f"select count(*) from (select 1 from staged where {named} limit 1)"):
        return
    _find_rates(store, declaration, given)
    if store.count("select count(*) from in_other_currencies"):
        _convert_amounts(store, declaration)
        _judge_limits(store, declaration)
        store.con.execute(f"update staged set content = {content_hash(declaration)}")
    store.con.execute("drop table in_other_currencies")


def _named(declaration: Declaration) -> list[str]:
    """Returns the columns by which a row names its currency, and its own rate if it can have one."""
    return [name for name in (CURRENCY, RATE) if name in declaration.feed_contract.columns]


def _find_rates(store: Store, declaration: Declaration, given: str | None) -> None:
    """Makes a temporary table of staged rows that name a currency or a rate, or refer to one in another currency.

    `code` and `rate` are null in the shop's currency; `rate` is null too if none is known.
    """
    named, own = f"s.{quoted(CURRENCY)}", f"null::{SQL_TYPES['rate']}"
    if RATE in _named(declaration):
        own = f"s.{quoted(RATE)}"
    their_currency, their_rate, joined = "null", "null", ""
    giving = _giving(declaration)
    if giving and given:
        key = quoted(giving.name)
        joined = f"left join (from ({given}) where k in (select {key} from staged)) g on g.k = s.{key}"
        their_currency, their_rate = "g.currency", "g.rate"
    any_named = f"({named} is not null or {own} is not null or {their_currency} is not null)"
    is_foreign = f"code is not null and code <> {literal(store.currency or '')}"
    of_day = f"case when r.rate_on >= n.on_day - {RATE_IS_GOOD_FOR} then r.rate end"
    store.con.execute(f"""
        create or replace temp table in_other_currencies as
        with named as (
            select s.rowid as staged_row, s.{stored(declaration).day} as on_day, {own} as own_rate,
                   coalesce({named}, {their_currency}) as code,
                   case when coalesce({named}, {their_currency}) = {their_currency} then {their_rate} end as given_rate
            from staged s {joined} where s.reasons is null and not s.retracts and {any_named}),
        rates as ({_rates(store, declaration, store.calendar)})
        select staged_row, n.on_day, case when {is_foreign} then code end as code,
               case when {is_foreign} then coalesce(own_rate, given_rate, {of_day}) end as rate,
               own_rate <> 1 and not coalesce({is_foreign}, false) as is_useless
        from named n asof left join rates r on n.code = r.currency and n.on_day >= r.rate_on""")


def _convert_amounts(store: Store, declaration: Declaration) -> None:
    """Converts the amounts of staged rows, keeps the originals, and says which rows lack a rate or have a useless one.

    One statement: an update of reasons, which are lists, gives rows other ids.
    """
    amounts = [quoted(c.name) for c in declaration.feed_contract.columns.values() if c.is_amount]
    products = [f"(s.{amount}::{_WIDE} * f.rate)" for amount in amounts]
    is_too_large = " or ".join(f"coalesce(abs({product}) >= {_LIMIT}, false)" for product in products)
    new = {
        amount: f"""case when f.rate is null then s.{amount}
                         when abs({product}) < {_LIMIT} then round({product}, 4)::{SQL_TYPES["decimal"]} end"""
        for amount, product in zip(amounts, products, strict=True)
    }
    for column in declaration.contract.columns.values():
        if column.original_of:
            new[quoted(column.name)] = f"case when f.code is not null then s.{quoted(column.original_of)} end"
    new |= {
        quoted(name): value
        for name, value in zip((CURRENCY, RATE), ("f.code", "f.rate"), strict=True)
        if name in _named(declaration)
    }
    new["reasons"] = f"""case when f.is_useless then {_reasons("rate_without_currency", _NO_CURRENCY)}
                              when {is_too_large} then {_reasons("amounts_too_large", _TOO_LARGE)} end"""
    no_rate = _reasons(MISSING_RATE, _NO_RATE)
    new["waits_for"] = f"case when f.code is not null and f.rate is null then {no_rate} end"
    changes = ", ".join(f"{name} = {value}" for name, value in new.items())
    store.con.execute(f"""
        update staged as s set {changes} from in_other_currencies f where s.rowid = f.staged_row""")


def _reasons(code: str, sentence: str) -> str:
    """Returns SQL for the reasons of a row with one; the sentence is SQL too."""
    return f"[{reason_sql(code, sentence)}]::{REASONS_TYPE}"


def _judge_limits(store: Store, declaration: Declaration) -> None:
    """Gives staged rows whose converted amounts break a limit a reason."""
    table, origin = stored(declaration), column_list(ORIGIN)
    for n, rule in enumerate(declaration.contract.hard_rules):
        if rule.is_limit:
            converted = f"select {table.listed}, null::{REASONS_TYPE} as problems from staged"
            rows = f"{converted} where {quoted(CURRENCY)} is not null and reasons is null"
            broken = f"from ({judged(declaration, rows, store.catalog)}) where {quoted(f'broken {n}')}"
            store.con.execute(f"""
                update staged set reasons = {_reasons(rule.complaint.code, literal(rule.complaint.sentence))}
                where ({origin}) in (select ({origin}) {broken})""")


def _giving(declaration: Declaration) -> Column | None:
    """Returns the column that refers to the row whose currency and rate a row has."""
    return next((c for c in declaration.feed_contract.columns.values() if c.gives_currency), None)


def _given(store: Store, column: Column) -> str | None:
    """Returns SQL for k, currency and rate of the rows in other currencies to which a column refers; None if none."""
    target = store.catalog[str(column.references)]
    known, key = _in_other_currencies(store, target, store.calendar), stored(target).keys[0]
    older = _older_in_other_currencies(store, target, store.calendar)
    if not any(store.count(f"select count(*) from (select 1 from ({some}) limit 1)") for some in (known, older)):
        return None
    among_known = f"select {key} from {stored(target).name} where {key} in (select k from ({older}))"
    return f"{known} union all from ({older}) where k not in ({among_known})"


def _in_other_currencies(store: Store, target: Declaration, window: Window) -> str:
    table = stored(target)
    store.ensure(target.name, table.columns)
    return (
        f"select {table.keys[0]} as k, {quoted(CURRENCY)} as currency, {quoted(RATE)} as rate "
        f"{table.rows_in(window)} and {quoted(CURRENCY)} is not null"
    )


def _older_in_other_currencies(store: Store, target: Declaration, window: Window) -> str:
    """Returns SQL for those set aside because they are from before the calendar, which have only their own rate."""
    feed, table = target.feed_contract, quarantine(target)
    store.ensure(target.quarantine, table.columns)
    key, code = text_of(feed.columns[feed.primary_key[0]]), text_of(feed.columns[CURRENCY])
    latest = column_list(ORIGIN)
    return f"""
        select k, arg_max(code, place) as currency, arg_max(rate, place) as rate from (
            select {key} as k, {code} as code, try_cast({quoted(RATE)} as {SQL_TYPES["rate"]}) as rate,
                   ({latest}) as place
            {table.rows_in(window)} and list_contains(reason_codes, {literal(feed.too_early)}))
        where k is not null and code is not null group by k"""


def _rates(store: Store, declaration: Declaration, window: Window) -> str:
    """Returns SQL for currency, rate_on and rate of the days of a window."""
    source = store.catalog[str(declaration.contract.converted[0].converted_by)]
    return _rates_of(store, source, window)


def _rates_of(store: Store, source: Declaration, window: Window) -> str:
    table = stored(source)
    store.ensure(source.name, table.columns)
    return f"select currency, rate_on, rate {table.rows_in(window)} and is_deleted is distinct from true"


@contextmanager
def watched_rates(store: Store, declaration: Declaration, window: Window) -> Iterator[None]:
    """Invalidates days with rows in a currency of which a rate appears, changes or disappears."""
    converted = store.catalog.converted.get(declaration.name, [])
    if not converted:
        yield
        return
    con, rates = store.con, _rates_of(store, declaration, window)
    con.execute(f"create or replace temp table old_rates as {rates}")
    yield
    con.execute(f"""
        create or replace temp table changed_rates as
        with changed as ((({rates}) except from old_rates) union all (from old_rates except ({rates})))
        select distinct currency, rate_on + unnest(range({RATE_IS_GOOD_FOR + 1}))::int as on_day from changed""")
    if store.count("select count(*) from changed_rates"):
        for other, named in converted:
            code = text_of(named)
            first_last = (
                "read_on between (select min(on_day) from changed_rates) and (select max(on_day) from changed_rates)"
            )
            which = f"{first_last} and ({code}, read_on) in (select currency, on_day from changed_rates)"
            rows = [rows_sent(store, other, which)]
            if giving := _giving(other):
                older = _older_in_other_currencies(store, store.catalog[str(giving.references)], store.calendar)
                theirs = f"select k from ({older}) where currency in (select currency from changed_rates)"
                rows.append(rows_sent(store, other, f"{first_last} and {text_of(giving)} in ({theirs})"))
            invalidate(con, other, Cause.RATE_CHANGED, declaration, rows)
    con.execute("drop table old_rates; drop table changed_rates")


@contextmanager
def watched_currencies(store: Store, declaration: Declaration, window: Window) -> Iterator[None]:
    """Invalidates days of other tables with rows that refer to one whose currency or rate changes."""
    referring = [(d, c) for d, c in store.catalog.referring.get(declaration.name, []) if c.gives_currency]
    if not referring:
        yield
        return
    con = store.con
    known = _in_other_currencies(store, declaration, window)
    older = _older_in_other_currencies(store, declaration, window)
    given = f"select *, false from ({known}) union all select *, true from ({older})"
    con.execute(f"create or replace temp table old_currencies as {given}")
    yield
    changed = f"select k from ((({given}) except from old_currencies) union all (from old_currencies except ({given})))"
    con.execute(f"create or replace temp table changed_currencies as select distinct k from ({changed})")
    if store.count("select count(*) from changed_currencies"):
        for other, column in referring:
            rows = rows_sent(store, other, f"{text_of(column)} in (from changed_currencies)")
            invalidate(con, other, Cause.RATE_CHANGED, declaration, [rows])
    con.execute("drop table old_currencies; drop table changed_currencies")
