"""Merges of customers, cleaned: a row each time a customer number is merged into another."""

import narwhals as nw

from ecom_assets.contract import Date, column, own_columns, rule
from ecom_assets.days import by_event_day
from ecom_assets.expressions.survivors import survivors_of
from ecom_assets.feeds import customer_merges as feed
from ecom_assets.table_asset import table_asset


class CustomerMerges(feed.CustomerMerges, partition_column="merged_on", max_bad_share=1.0):
    """One row per customer number and merge; the latest row about a number counts, for all days.

    No share of bad rows fails a day: that would undo its good merges.
    """

    merged_on: Date = column("Business day on which it was merged")
    extra: str = own_columns()

    @rule
    def merged_into_another(cls) -> nw.Expr:
        """A number is merged into another one."""
        return nw.col("is_deleted").fill_null(value=False) | (nw.col("merged_into") != nw.col("customer_id"))


def transform(bronze_customer_merges: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_customer_merges


asset = table_asset(CustomerMerges, transform, reads={"bronze_customer_merges": by_event_day}, survivors=survivors_of)
