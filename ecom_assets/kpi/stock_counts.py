"""Stock that was counted, by product and location, and how it differs from what the movements say."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, Timestamp, column, contract, in_units, key, money, rule
from ecom_assets.days import history
from ecom_assets.expressions.money import QUANTITY, extended, total
from ecom_assets.expressions.versions import with_version
from ecom_assets.feeds.inventory_movements import COUNT
from ecom_assets.table_asset import table_asset

ALL_LOCATIONS = "(all)"
"""In place of a location, that of counts which name none: they are of the whole shop."""


class StockCounts(Table, primary_key=("day", "product_id", "location"), partition_column="day"):
    """One row per day, product and location with a count: the last of the day.

    A count moves no stock. It is compared with the movements up to its moment: those in its location, or all if it
    names none. A shop that sends counts without movements finds its stock here.
    """

    day: Date = key("Business day of the count")
    product_id: str = key("Stock code; codes are case-sensitive")
    location: str = key("Warehouse or store; “(all)” if the count names none")
    counted: Decimal = in_units("Units found", ge=0)
    counted_at: Timestamp = column("Moment of the count")
    computed: Decimal = in_units("Units by the movements; null if there is none up to the count", nullable=True)
    discrepancy: Decimal = in_units(
        "Units found less units by the movements: negative for shrinkage; null without movements", nullable=True
    )
    unit_cost: Decimal = money("Cost of one unit to the shop, if the product's version has one", nullable=True, ge=0)
    counted_value: Decimal = money("Units found, at cost; null if unknown, or ten billion or more", nullable=True)
    discrepancy_value: Decimal = money("Discrepancy, at cost; null if unknown, or ten billion or more", nullable=True)

    @rule
    def discrepancy_adds_up(cls) -> nw.Expr:
        """Units found less units by the movements make the discrepancy, if there are movements."""
        c = nw.col
        both_unknown = c("computed").is_null() & c("discrepancy").is_null()
        return both_unknown | (c("discrepancy") == c("counted") - c("computed"))


KEY = ["day", "product_id", "location"]


def transform(
    silver_inventory_movements: nw.LazyFrame, gold_dim_product_versions: nw.LazyFrame, days: nw.LazyFrame
) -> nw.LazyFrame:
    c = nw.col
    is_count = c("kind") == COUNT
    counts = (
        silver_inventory_movements.filter(is_count)
        .select(
            "movement_id",
            "product_id",
            day="moved_on",
            location=c("location").fill_null(ALL_LOCATIONS),
            counted="quantity",
            counted_at="moved_at",
        )
        .join(days, on="day", how="semi")
    )
    latest = c("movement_id") == c("movement_id").last().over(KEY, order_by=["counted_at", "movement_id"])
    last_counts = counts.filter(latest)
    moved = silver_inventory_movements.filter(~is_count).select(
        "product_id", "moved_at", "quantity", moved_in="location"
    )
    is_before = (c("moved_at") <= c("counted_at")) & (
        (c("location") == ALL_LOCATIONS) | (c("location") == c("moved_in"))
    )
    computed = (
        last_counts.join(moved, on="product_id")
        .filter(is_before)
        .group_by("movement_id")
        .agg(total("quantity").alias("computed"))
    )
    return (
        with_version(
            last_counts.join(computed, on="movement_id", how="left"),
            gold_dim_product_versions,
            identity="product_id",
            moment="counted_at",
            columns=["cost"],
        )
        .with_columns(unit_cost="cost", discrepancy=(c("counted") - c("computed")).cast(QUANTITY))
        .with_columns(
            counted_value=extended("counted", "unit_cost"), discrepancy_value=extended("discrepancy", "unit_cost")
        )
        .select(*contract(StockCounts).columns)
    )


asset = table_asset(
    StockCounts,
    transform,
    reads={
        "silver_inventory_movements": history.by("product_id"),
        "gold_dim_product_versions": history.by("product_id", of="silver.inventory_movements"),
    },
)
