"""Versions of merges of customers: what was known of a merge, by the day on which it became known."""

import narwhals as nw

from ecom_assets.contract import Date, Table, Timestamp, column, contract, key
from ecom_assets.days import by_arrival_day
from ecom_assets.silver._versions import last_of_day
from ecom_assets.table_asset import table_asset


class MergeVersions(Table, primary_key=("arrived_on", "customer_id", "merged_at"), partition_column="arrived_on"):
    """One row per arrival day and merge of which a valid version arrived."""

    arrived_on: Date = key("Day on which the version arrived")
    customer_id: str = key("Customer number that was merged", personal=True)
    merged_at: Timestamp = key("When it was merged, or when that was undone")
    merged_into: str = column("Customer number under which the customer goes on", nullable=True, personal=True)
    is_undone: bool = column("Whether the merge was undone")


def transform(bronze_customer_merges: nw.LazyFrame) -> nw.LazyFrame:
    versions = last_of_day(bronze_customer_merges, key=["customer_id", "merged_at"], order=[])
    is_undone = nw.col("is_deleted").fill_null(value=False)
    return versions.with_columns(is_undone=is_undone).select(*contract(MergeVersions).columns)


asset = table_asset(MergeVersions, transform, reads={"bronze_customer_merges": by_arrival_day})
