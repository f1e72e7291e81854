"""The running day: its tables so far, made of what has landed, in a transaction that is taken back.

So the warehouse has only days that are over: what a half day says is in no total, verdict or repair.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb

from ecom_assets.days import GOOD, State, Window
from ecom_assets.declaration import Catalog
from ecom_assets.engine.duckdb.tables import columns_of, stored
from ecom_assets.landing.zone import Zone
from ecom_assets.sql import literal, literals, quoted
from ecom_assets.warehouse.ledger import published
from ecom_assets.warehouse.session import Session
from ecom_assets.warehouse.store import Store

THROUGH_THE_DAY = (
    "kpi.daily_carts",
    "kpi.daily_category_sales",
    "kpi.daily_coupons",
    "kpi.daily_customers",
    "kpi.daily_funnel",
    "kpi.daily_inventory",
    "kpi.daily_payments",
    "kpi.daily_product_sales",
    "kpi.daily_sales",
    "kpi.daily_store_sales",
    "features.customer_product_interactions",
)
"""The tables that say something of half a day: neither comparisons, anomalies and cohorts, nor predictions."""


@dataclass(frozen=True)
class SoFar:
    """The tables of the running day, and its ledger entries, as Arrow tables. Good days are provisional."""

    day: dt.date
    tables: Mapping[str, Any]
    days: Any
    broken: frozenset[str]
    """Tables that could not be computed because of a value; what reads them is blocked."""


class _Zone(Zone):
    """A landing zone in which no file is due yet."""

    def is_due(self, feed: str, day: dt.date, since: dt.date = dt.date.min) -> bool:
        return False


class _Trial(Session):
    """A session whose writes are all part of one transaction of its user."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield


def tables_through_the_day(catalog: Catalog, wanted: Collection[str] = THROUGH_THE_DAY) -> list[str]:
    """Returns the tables to run for the running day, in order: those wanted, and what up to gold they are made of."""
    needed = set(wanted).union(*map(catalog.upstream, wanted))
    up_to_gold = ("bronze.", "silver.", "gold.")
    return [name for name in catalog.names if name in wanted or (name in needed and name.startswith(up_to_gold))]


def files_of(store: Store, day: dt.date, wanted: Collection[str] = THROUGH_THE_DAY) -> dict[str, int]:
    """Returns the fingerprint of the files that have landed for a day, by feed. Opens no file that it knows."""
    feeds = [
        store.catalog[name].feed_name
        for name in tables_through_the_day(store.catalog, wanted)
        if store.catalog[name].is_bronze
    ]
    first = store.calendar.first
    return {
        feed: store.zone.fingerprints(feed, store.zone.arrivals(feed, day, day, first), first)[day] for feed in feeds
    }


def so_far(session: Session, day: dt.date, wanted: Collection[str] = THROUGH_THE_DAY) -> SoFar:
    """Returns the tables of a day that is not over and has not run, of what has landed. The warehouse stays as it is.

    A feed without files has no rows yet; that is no fault before the day is over.
    """
    broken: set[str] = set()
    while True:
        session.con.execute("begin")
        try:
            return _so_far(session, day, wanted, broken)
        except _CannotBeComputed as error:
            broken.add(error.table)
        finally:
            session.con.execute("rollback")


class _CannotBeComputed(Exception):
    """A value that makes a table impossible to compute has ended the transaction."""

    def __init__(self, table: str) -> None:
        super().__init__(table)
        self.table = table


def _so_far(session: Session, day: dt.date, wanted: Collection[str], broken: Collection[str]) -> SoFar:
    con, catalog, window = session.con, session.catalog, Window(day, day)
    trial = _Trial(
        con,
        catalog,
        _Zone(session.zone.root),
        session.calendar,
        session.time_zone,
        session.strict,
        session.run_id,
        session.currency,
    )
    names = [name for name in tables_through_the_day(catalog, wanted) if name not in broken]
    for name in names:
        try:
            trial.run(name, window)
        except duckdb.TransactionException as error:
            raise _CannotBeComputed(name) from error
    found = {}
    for name in wanted:
        trial.ensure(name, columns_of(catalog[name]))
        columns = ", ".join(map(quoted, columns_of(catalog[name])))
        found[name] = con.sql(f"select {columns} {stored(catalog[name]).rows_in(window)}").to_arrow_table()
    [(database,)] = con.execute("select current_database()").fetchall()
    days = published.days_query(quoted(database), catalog, window, [])
    state = f"case when state in {GOOD} then {literal(State.PROVISIONAL)} else state end as state"
    entries = con.sql(f"select * replace ({state}) from ({days}) where table_name in ({literals(names)})")
    return SoFar(day, found, entries.to_arrow_table(), frozenset(broken))
