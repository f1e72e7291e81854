"""Statuses of orders and payments, each stored on the day on which it is first seen."""

import narwhals as nw

from ecom_assets.contract import Date, Table, column, contract, key
from ecom_assets.days import history
from ecom_assets.table_asset import table_asset


class DimStatus(Table, primary_key=("kind", "status"), partition_column="first_seen_on"):
    """One row per kind of thing and status it can have."""

    kind: str = key("Kind of thing that has the status", isin=["order", "payment"])
    status: str = key("The status")
    first_seen_on: Date = column("Business day of the first order or payment that has it now")


def transform(silver_orders: nw.LazyFrame, silver_payments: nw.LazyFrame) -> nw.LazyFrame:
    orders = silver_orders.group_by("status").agg(nw.col("ordered_on").min().alias("first_seen_on"))
    payments = silver_payments.group_by("status").agg(nw.col("paid_on").min().alias("first_seen_on"))
    statuses = [orders.with_columns(kind=nw.lit("order")), payments.with_columns(kind=nw.lit("payment"))]
    return nw.concat(statuses).select(*contract(DimStatus).columns)


asset = table_asset(
    DimStatus,
    transform,
    reads={"silver_orders": history.days_of("status"), "silver_payments": history.days_of("status")},
)
