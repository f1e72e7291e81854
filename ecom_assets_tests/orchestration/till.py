"""A shop of three tables: what the till landed, cleaned, summed up. A negative sum breaks gold."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import narwhals as nw

from ecom_assets.contract import Date, Decimal, Feed, Table, Timestamp, column, key, money
from ecom_assets.days import by_event_day
from ecom_assets.declaration import Catalog, Declaration
from ecom_assets.orchestration.assets import partitions_of, table_assets
from ecom_assets.orchestration.executor import verdict_executor
from ecom_assets.orchestration.io_manager import Warehouse
from ecom_assets.settings import Settings
from ecom_assets.table_asset import bronze_asset, table_asset


class Receipts(Feed, name="landing.receipts", primary_key="receipt_id", event_column="paid_at"):
    """One row per receipt."""

    receipt_id: str = key("Number on the receipt")
    paid_at: Timestamp = column("When it was paid")
    amount: Decimal = money("What was paid")


class CleanReceipts(Receipts, name="silver.receipts", partition_column="paid_on", max_bad_share=0.0, min_bad_rows=1):
    """One row per receipt, cleaned."""

    paid_on: Date = column("Business day")


class Takings(Table, name="gold.takings", primary_key="day", partition_column="day"):
    """One row per day with a receipt."""

    day: Date = key("Business day")
    amount: Decimal = money("What was paid", ge=0)


class Report(Table, name="kpi.report", primary_key="day", partition_column="day"):
    """One row per day with a receipt."""

    day: Date = key("Business day")
    amount: Decimal = money("What was paid")


def clean(bronze_receipts: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_receipts


def total(silver_receipts: nw.LazyFrame) -> nw.LazyFrame:
    return silver_receipts.group_by(nw.col("paid_on").alias("day")).agg(nw.col("amount").sum().cast(nw.Decimal(18, 4)))


def report(gold_takings: nw.LazyFrame) -> nw.LazyFrame:
    return gold_takings


DECLARATIONS = [
    bronze_asset(Receipts),
    table_asset(CleanReceipts, clean, reads={"bronze_receipts": by_event_day}),
    table_asset(Takings, total),
    table_asset(Report, report),
]
PARTITIONS = partitions_of(Settings(Path()).calendar, "UTC")
ASSETS = table_assets(DECLARATIONS, PARTITIONS)


def warehouse_of(declarations: Sequence[Declaration]) -> Warehouse:
    """A warehouse of other tables."""

    class Small(Warehouse):
        def tables(self) -> Catalog:
            return Catalog(declarations)

    return Small()


class TillWarehouse(Warehouse):
    """The warehouse of these tables."""

    def tables(self) -> Catalog:
        return Catalog(DECLARATIONS)


defs = dg.Definitions(
    ASSETS,
    resources={"warehouse": TillWarehouse()},
    executor=verdict_executor,
)
