"""Versions of customers: what was known of a change of a profile, by the day on which it became known."""

import narwhals as nw

from ecom_assets.contract import Date, Table, Timestamp, column, contract, key
from ecom_assets.days import by_arrival_day
from ecom_assets.silver._versions import last_of_day
from ecom_assets.table_asset import table_asset


class CustomerVersions(Table, primary_key=("arrived_on", "customer_id", "changed_at"), partition_column="arrived_on"):
    """One row per arrival day and change of a customer that arrived on it."""

    arrived_on: Date = key("Day on which the change arrived")
    customer_id: str = key("Customer number issued by the shop", personal=True)
    changed_at: Timestamp = key("Moment at which the change took effect")
    registered_at: Timestamp = column("When the customer registered, if it says so", nullable=True)
    country: str = column("Country of residence", nullable=True)


def transform(bronze_customers: nw.LazyFrame) -> nw.LazyFrame:
    versions = last_of_day(bronze_customers, key=["customer_id", "changed_at"], order=[])
    return versions.select(*contract(CustomerVersions).columns)


asset = table_asset(CustomerVersions, transform, reads={"bronze_customers": by_arrival_day})
