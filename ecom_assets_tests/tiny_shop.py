"""A shop of seven tables for tests of the core: two feeds, a reference, a fact, a sum of the day, a sum to date."""

import dataclasses
import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw

from ecom_assets.contract import (
    Date,
    Decimal,
    Feed,
    Table,
    Timestamp,
    column,
    contract,
    feed_contract,
    key,
    money,
    rule,
)
from ecom_assets.days import State, Window, by_event_day, history
from ecom_assets.declaration import Catalog, Declaration, declare
from ecom_assets.expressions.money import MONEY, total
from ecom_assets.landing.zone import Zone
from ecom_assets.sql import connect, literal
from ecom_assets.table_asset import bronze_asset
from ecom_assets.warehouse.ledger.records import DayResult
from ecom_assets.warehouse.ledger.verdicts import faults
from ecom_assets.warehouse.session import Session

START = dt.date(2024, 3, 1)
WAREHOUSE = "warehouse.duckdb"


class CustomerFeed(Feed, primary_key=("customer_id", "joined_at"), event_column="joined_at", name="landing.customers"):
    """One row per customer."""

    customer_id: str = key("Number of the customer")
    joined_at: Timestamp = key("When the customer joined")


class Customers(CustomerFeed, partition_column="joined_on", name="silver.customers"):
    """One row per customer."""

    joined_on: Date = column("Day on which the customer joined")


class OrderFeed(
    Feed, primary_key="order_id", event_column="ordered_at", version_column="updated_at", name="landing.orders"
):
    """One row per order and state of it."""

    order_id: str = key("Number of the order")
    customer_id: str = column("Who placed it", references="silver.customers", nullable=True)
    ordered_at: Timestamp = column("When it was placed")
    updated_at: Timestamp = column("When it last changed")
    amount: Decimal = money("What it costs", ge=0)


class Orders(OrderFeed, partition_column="ordered_on", max_bad_share=0.5, min_bad_rows=1, name="silver.orders"):
    """One row per order, in its latest valid state."""

    ordered_on: Date = column("Day on which it was placed")


class Sales(Table, primary_key="order_id", partition_column="ordered_on", name="gold.sales"):
    """One row per order."""

    order_id: str = key("Number of the order")
    ordered_on: Date = column("Day on which it was placed")
    amount: Decimal = money("What it costs")

    @rule
    def is_small(cls) -> nw.Expr:
        """An order costs less than a thousand."""
        return nw.col("amount") < 1000


class SalesWithCurrency(Sales, name="gold.sales"):
    """One row per order."""

    currency: str = column("In which it was paid", nullable=True)


class SalesOfWholeAmount(Table, primary_key="order_id", partition_column="ordered_on", name="gold.sales"):
    """One row per order."""

    order_id: str = key("Number of the order")
    ordered_on: Date = column("Day on which it was placed")
    amount: int = column("What it costs, in whole units")


class Daily(Table, primary_key="day", partition_column="day", amount="amount", name="kpi.daily"):
    """One row per day with an order."""

    day: Date = key("The day")
    amount: Decimal = money("What the orders of the day cost")


class ToDate(Table, primary_key="day", partition_column="day", name="gold.to_date"):
    """One row per day."""

    day: Date = key("The day")
    amount: Decimal = money("What the orders up to the day cost", nullable=True)


def customers(bronze_customers: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_customers


def orders(bronze_orders: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_orders


def sales(silver_orders: nw.LazyFrame) -> nw.LazyFrame:
    return silver_orders.select("order_id", "ordered_on", "amount")


def sales_with_currency(silver_orders: nw.LazyFrame) -> nw.LazyFrame:
    return sales(silver_orders).with_columns(currency=nw.lit("EUR"))


def sales_of_whole_amount(silver_orders: nw.LazyFrame) -> nw.LazyFrame:
    return sales(silver_orders).with_columns(amount=nw.col("amount").cast(nw.Int64))


def daily(gold_sales: nw.LazyFrame) -> nw.LazyFrame:
    return gold_sales.select("amount", day="ordered_on").group_by("day").agg(total("amount"))


def to_date(gold_sales: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    sums = daily(gold_sales)
    so_far = nw.col("amount").cum_sum().over(order_by="day").cast(MONEY)
    return sums.with_columns(amount=so_far).join(days, on="day", how="semi")


_TABLES = [
    bronze_asset(CustomerFeed),
    bronze_asset(OrderFeed),
    declare(contract(Customers), customers, {"bronze_customers": by_event_day}, feed=feed_contract(CustomerFeed)),
    declare(contract(Orders), orders, {"bronze_orders": by_event_day}, feed=feed_contract(OrderFeed)),
    declare(contract(Sales), sales),
    declare(contract(Daily), daily),
    declare(contract(ToDate), to_date, {"gold_sales": history}),
]


def tables(*others: Declaration) -> Catalog:
    """The shop's tables; others stand in for those of their name."""
    return Catalog({declaration.name: declaration for declaration in (*_TABLES, *others)}.values())


def of_feed(feed: type[Feed], silver: Declaration) -> Catalog:
    """A catalog of one feed."""
    return Catalog([bronze_asset(feed), silver])


def on(number: int) -> dt.date:
    """A day, counted from the start."""
    return START + dt.timedelta(days=number)


def days(first: int, last: int | None = None) -> Window:
    """A window of days, counted from the start."""
    return Window(on(first), on(first if last is None else last))


def order(number: int, day: int, amount: int = 10, version: int = 0, customer: str = "") -> str:
    """A line of an orders file. Versions are comparable over all days."""
    return f"{number},{customer},{on(day)}T12:00:00Z,2024-04-01T00:00:{version:02}Z,{amount}"


@dataclasses.dataclass
class TinyShop:
    """A landing zone and a session on its warehouse."""

    folder: Path
    session: Session

    @property
    def con(self) -> duckdb.DuckDBPyConnection:
        return self.session.con

    def land_orders(self, day: int, *orders: str, file: str = "orders.csv") -> Path:
        header = "order_id,customer_id,ordered_at,updated_at,amount"
        return self.session.zone.write("orders", on(day), file, "\n".join([header, *orders, ""]).encode())

    def land_customers(self, day: int, *names: str, joined: int | None = None) -> Path:
        joined_on = on(day if joined is None else joined)
        lines = [f"{name},{joined_on}T08:00:00Z" for name in names]
        data = "\n".join(["customer_id,joined_at", *lines, ""]).encode()
        return self.session.zone.write("customers", on(day), "customers.csv", data)

    def run(self, window: Window, *names: str) -> dict[str, list[DayResult]]:
        """Tables over a window, all where none are named."""
        return {name: self.session.run(name, window) for name in names or self.session.catalog.names}

    def rows(self, query: str) -> list[Any]:
        return self.con.execute(query).fetchall()

    def states(self, table: str) -> list[State]:
        """The table's states in the order of its days."""
        found = self.rows(f"select state from ledger.days where table_name = '{table}' order by day")
        return [State(state) for (state,) in found]

    def orders(self, table: str = "silver.orders") -> list[tuple[int, int]]:
        """Day and number of each order that stands in a table."""
        found = self.rows(f"select ordered_on, order_id from {table} order by all")
        return [((day - START).days, int(number)) for day, number in found]

    def stale(self) -> list[tuple[str, int]]:
        """Table and day of what has to run again, each day counted from the start."""
        return [(found.table, (found.day - START).days) for found in self.session.stale()]

    def everything(self) -> dict[str, list[Any]]:
        """All rows of all tables but for when and by which run they were written; of verdicts, not their changes."""
        tables = self.rows("select schema_name, table_name from duckdb_tables() where not temporary")
        hidden = {"written_at", "replaced_at", "recorded_at", "run_id"}
        everything = {}
        for schema, table in tables:
            columns = self.con.sql(f"from {schema}.{table}").columns
            listed = ", ".join(column for column in columns if column not in hidden)
            everything[f"{schema}.{table}"] = self.rows(f"select {listed} from {schema}.{table} order by all")
        for told in ("ledger.outbox", "ledger.verdict_changes", "ledger.amount_changes"):
            del everything[told]
        return everything | {"faults": sorted(faults(self.con).items())}


@contextmanager
def open_shop(
    folder: Path,
    catalog: Catalog | None = None,
    warehouse: str | Path = ":memory:",
    built: Path | None = None,
    **more: Any,
) -> Iterator[TinyShop]:
    """The shop over the landing zone in a folder, or a copy of a built one; `more` goes to the session."""
    with connect(warehouse) as con:
        con.execute("set TimeZone = 'UTC'")
        if built:
            shutil.copytree(built / "landing", folder / "landing")
            con.execute(f"attach {literal(str(built / WAREHOUSE))} as built (read_only)")
            con.execute("copy from database built to memory")
            con.execute("detach built")
        zone = Zone(folder / "landing")
        yield TinyShop(folder, Session(con, catalog or tables(), zone, Window(START, dt.date.max), **more))


def build_shop(folder: Path, land: Callable[[TinyShop, int], object]) -> Path:
    """The folder with a shop whose first three days have landed and run, to be copied for each test."""
    with open_shop(folder, warehouse=folder / WAREHOUSE) as shop:
        for day in range(3):
            land(shop, day)
        shop.run(days(0, 2))
    return folder
