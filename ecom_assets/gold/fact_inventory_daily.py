"""Stock at the end of each day: opening units, movements, closing units and their value.

A periodic snapshot, dense on purpose: a day without movements has stock too.
"""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, expectation, in_units, key, money, rule
from ecom_assets.days import history
from ecom_assets.expressions import measures
from ecom_assets.expressions.money import QUANTITY, extended, no_amount, total
from ecom_assets.expressions.versions import with_version_of_day
from ecom_assets.table_asset import table_asset


class FactInventoryDaily(Table, primary_key=("day", "product_id"), partition_column="day"):
    """One row per product and day, from the product's first movement on."""

    day: Date = key("Business day")
    product_id: str = key("Stock code; codes are case-sensitive")
    product_key: str = column("Version of the product at the end of the day, if any", nullable=True)
    opening: Decimal = in_units("Units on hand at the start of the day: all movements of earlier days")
    opened: Decimal = in_units(measures.STOCK_OPENED, ge=0)
    received: Decimal = in_units(measures.STOCK_RECEIVED, ge=0)
    sold: Decimal = in_units(measures.STOCK_SOLD, ge=0)
    returned: Decimal = in_units(measures.STOCK_RETURNED, ge=0)
    adjusted: Decimal = in_units(measures.STOCK_ADJUSTED)
    on_hand: Decimal = in_units("Units on hand at the end of the day: all movements to date")
    unit_cost: Decimal = money("Cost of one unit to the shop, if the product's version has one", nullable=True, ge=0)
    stock_value: Decimal = money("Units on hand times unit cost; null if ten billion or more", nullable=True)

    @rule
    def units_add_up(cls) -> nw.Expr:
        """What lay there and what came, less what left, is on hand."""
        c = nw.col
        came = c("opened") + c("received") + c("returned") + c("adjusted")
        return c("on_hand") == c("opening") + came - c("sold")

    @rule
    def stock_value_of_units(cls) -> nw.Expr:
        """Units on hand times unit cost make the stock value; it is unknown with the cost, and from ten billion on."""
        value = extended("on_hand", "unit_cost")
        both_unknown = value.is_null() & nw.col("stock_value").is_null()
        return both_unknown | (nw.col("stock_value") == value)

    @expectation
    def no_less_than_nothing(cls) -> nw.Expr:
        """There are never less than no units on hand."""
        return nw.col("on_hand") >= 0


UNITS = ["opened", "received", "sold", "returned", "adjusted"]


def transform(
    gold_agg_stock_movements: nw.LazyFrame, gold_dim_product_versions: nw.LazyFrame, days: nw.LazyFrame
) -> nw.LazyFrame:
    c = nw.col
    moved = gold_agg_stock_movements.join(days, on="day", how="semi")
    # One plain sum over all history. Stock before the window is that sum less the movements in the window.
    to_date = gold_agg_stock_movements.group_by("product_id").agg(
        c("day").min().alias("first_moved_on"), total("change").alias("on_hand_at_last")
    )
    moved_later = c("change").sum().over("product_id") - c("change").cum_sum().over("product_id", order_by="day")
    snapshot = (
        to_date.join(days, how="cross")
        .filter(c("day") >= c("first_moved_on"))
        .join(moved, on=["product_id", "day"], how="left")
        .with_columns(nw.coalesce(c(name), no_amount()).alias(name) for name in ("change", *UNITS))
        .with_columns(on_hand=(c("on_hand_at_last") - moved_later).cast(QUANTITY))
        .with_columns(opening=(c("on_hand") - c("change")).cast(QUANTITY))
    )
    products = gold_dim_product_versions.select("product_id", "product_key", "effective_from", "effective_on", "cost")
    return (
        with_version_of_day(snapshot, products, identity="product_id", day="day", columns=["product_key", "cost"])
        .with_columns(unit_cost="cost", stock_value=extended("on_hand", "cost"))
        .select(*contract(FactInventoryDaily).columns)
    )


def conserved(gold_agg_stock_movements: nw.LazyFrame) -> nw.LazyFrame:
    return gold_agg_stock_movements.select("day", *UNITS)


asset = table_asset(
    FactInventoryDaily,
    transform,
    reads={"gold_agg_stock_movements": history, "gold_dim_product_versions": history},
    conserved=conserved,
)
