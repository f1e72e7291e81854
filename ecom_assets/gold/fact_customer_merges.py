"""Merges of customers: which number went on under which."""

import narwhals as nw
import polars as pl

from ecom_assets.contract import Date, Table, Timestamp, column, contract, expectation, key, own_columns
from ecom_assets.days import history
from ecom_assets.expressions.survivors import circles
from ecom_assets.table_asset import table_asset


class FactCustomerMerges(Table, primary_key=("customer_id", "merged_at"), partition_column="merged_on"):
    """One row per customer number and merge. The latest row about a number counts.

    Facts of all days name the customer who goes on, which is `merged_into` in `gold.dim_customer`.
    """

    customer_id: str = key("Customer number that was merged", personal=True)
    merged_at: Timestamp = key("When it was merged; with `is_deleted`, when that was undone")
    merged_on: Date = column("Business day on which it was merged")
    merged_into: str = column(
        "Customer number into which it was merged, which may be merged itself", nullable=True, personal=True
    )
    is_deleted: bool = column("Whether the merge was undone")
    closes_circle: bool = column("Whether the number into which it was merged goes on, then, under the merged one")
    extra: str = own_columns()

    @expectation
    def closes_no_circle(cls) -> nw.Expr:
        """No customer is merged into one that goes on under its own number."""
        return ~nw.col("closes_circle")


def transform(silver_customer_merges: pl.DataFrame) -> pl.DataFrame:
    merges = silver_customer_merges.sort("merged_at", "customer_id").with_columns(pl.col("is_deleted").fill_null(False))
    said = merges.select("customer_id", pl.when(~pl.col("is_deleted")).then("merged_into"))
    closing = pl.Series("closes_circle", circles(said.iter_rows()), pl.Boolean)
    return merges.with_columns(closing).select(*contract(FactCustomerMerges).columns)


asset = table_asset(FactCustomerMerges, transform, reads={"silver_customer_merges": history})
