"""Stock reconciled: silver's movements explain each day's change, and each day opens as the day before closed."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, in_units, key, rule
from ecom_assets.days import trailing
from ecom_assets.expressions.dates import days_between
from ecom_assets.expressions.money import total, total_count
from ecom_assets.feeds.inventory_movements import COUNT
from ecom_assets.table_asset import table_asset


class DailyStockReconciliation(Table, primary_key="day", partition_column="day"):
    """One row per day with stock. A day on which units appear or disappear without a movement fails here."""

    day: Date = key("Business day")
    opening: Decimal = in_units("Units on hand at the start of the day")
    on_hand: Decimal = in_units("Units on hand at the end of the day")
    units_moved: Decimal = in_units("Units that entered less units that left, by the movements in silver")
    broken_chains: int = column(
        "Products whose opening differs from the units on hand at the end of the day before", ge=0
    )

    @rule
    def movements_explain_the_change(cls) -> nw.Expr:
        """What has moved makes the difference between the day's beginning and its end."""
        return nw.col("on_hand") == nw.col("opening") + nw.col("units_moved")

    @rule
    def opens_as_the_day_before_ended(cls) -> nw.Expr:
        """Each product opens with what was on hand as the day before ended."""
        return nw.col("broken_chains") == 0


UNITS = ["opening", "on_hand", "units_moved"]


def transform(
    gold_fact_inventory_daily: nw.LazyFrame, silver_inventory_movements: nw.LazyFrame, days: nw.LazyFrame
) -> nw.LazyFrame:
    c = nw.col
    stock = gold_fact_inventory_daily.with_columns(
        c("day", "on_hand").shift(1).over("product_id", order_by="day").name.suffix("_before")
    )
    is_broken = (days_between(c("day_before"), c("day")) == 1) & (c("opening") != c("on_hand_before"))
    chains = stock.select("day", "opening", "on_hand", broken_chains=is_broken.fill_null(value=False).cast(nw.Int64))
    moved = silver_inventory_movements.filter(c("kind") != COUNT).select(day="moved_on", units_moved="quantity")
    return (
        nw.concat([chains, moved], how="diagonal")
        .join(days, on="day", how="semi")
        .group_by("day")
        .agg(*map(total, UNITS), total_count("broken_chains"))
        .select(*contract(DailyStockReconciliation).columns)
    )


asset = table_asset(DailyStockReconciliation, transform, reads={"gold_fact_inventory_daily": trailing(2)})
