"""Fulfilment by promised day: on-time shipping, and hours to ship and to deliver."""

import narwhals as nw

from ecom_assets.contract import Date, Table, column, contract, key, rule
from ecom_assets.days import around
from ecom_assets.expressions.dates import days_between
from ecom_assets.expressions.money import ratio, total_count
from ecom_assets.table_asset import table_asset

LONGEST_PROMISE = 42
DAYS_TO_ARRIVE = 14


class DailyFulfilment(Table, primary_key="day", partition_column="day"):
    """One row per day for which a shipment that is not cancelled was promised, at most six weeks ahead.

    A day is provisional for two weeks: by then nearly all shipments promised for it have arrived.
    """

    day: Date = key("Day by which the shipments had to leave the warehouse")
    due: int = column("Shipments promised for the day, whether they have left or not", ge=0)
    shipped_on_time: int = column("Shipments that left by the end of the day", ge=0)
    shipped_late: int = column("Shipments that left later", ge=0)
    unshipped: int = column("Shipments that have not left yet", ge=0)
    delivered: int = column("Shipments that have arrived", ge=0)
    on_time_shipping: float = column("Shipments that left on time per shipment due", ge=0, le=1)
    median_hours_to_ship: float = column(
        "Median hours from order to shipment, of those that have left", nullable=True, ge=0
    )
    median_hours_to_deliver: float = column(
        "Median hours from shipment to delivery, of those that have arrived", nullable=True, ge=0
    )

    @rule
    def shipments_add_up(cls) -> nw.Expr:
        """Each shipment due has left in time, has left late, or has not left."""
        return nw.col("due") == nw.col("shipped_on_time") + nw.col("shipped_late") + nw.col("unshipped")


COUNTS = ["due", "shipped_on_time", "shipped_late", "unshipped", "delivered"]


def transform(gold_fact_shipments: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    has_left = ~c("shipped_at").is_null()
    return (
        gold_fact_shipments.filter(
            ~c("is_on_time").is_null(),
            days_between(c("ordered_on"), c("promised_on")).is_between(0, LONGEST_PROMISE),
        )
        .select(
            "hours_to_ship",
            "hours_to_deliver",
            day="promised_on",
            due=nw.lit(1, nw.Int64),
            shipped_on_time=c("is_on_time").cast(nw.Int64),
            shipped_late=(has_left & ~c("is_on_time")).cast(nw.Int64),
            unshipped=(~has_left).cast(nw.Int64),
            delivered=(~c("delivered_at").is_null()).cast(nw.Int64),
        )
        .join(days, on="day", how="semi")
        .group_by("day")
        .agg(
            *map(total_count, COUNTS),
            c("hours_to_ship").median().alias("median_hours_to_ship"),
            c("hours_to_deliver").median().alias("median_hours_to_deliver"),
        )
        .with_columns(on_time_shipping=ratio("shipped_on_time", "due"))
        .select(*contract(DailyFulfilment).columns)
    )


asset = table_asset(DailyFulfilment, transform, reads={"gold_fact_shipments": around(LONGEST_PROMISE, DAYS_TO_ARRIVE)})
