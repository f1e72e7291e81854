"""Customers, cleaned: a row each time a profile is made or changed."""

import narwhals as nw

from ecom_assets.contract import Date, Timestamp, column, expectation, own_columns
from ecom_assets.days import by_event_day
from ecom_assets.feeds import customers as feed
from ecom_assets.table_asset import table_asset


class Customers(feed.Customers, partition_column="changed_on"):
    """One row per customer and change of profile."""

    changed_on: Date = column("Business day on which this version took effect")
    changed_until: Timestamp = column("Last moment that changed_at can mean", latest_of="changed_at")
    extra: str = own_columns()

    @expectation
    def email_looks_like_one(cls) -> nw.Expr:
        """An e-mail address has a name, an @ and a domain."""
        return nw.col("email").is_null() | nw.col("email").str.contains(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")

    @expectation
    def registered_before_changed(cls) -> nw.Expr:
        """A profile does not change before its customer registered."""
        return nw.col("registered_at").is_null() | (nw.col("registered_at") <= nw.col("changed_until"))


def transform(bronze_customers: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_customers.with_columns(
        nw.col("name", "city", "region", "country").str.strip_chars(),
        nw.col("email").str.strip_chars().str.to_lowercase(),
    )


asset = table_asset(Customers, transform, reads={"bronze_customers": by_event_day})
