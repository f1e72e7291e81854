"""Stock by day and category: units, value, sell-through, days of supply and stock-outs."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, in_units, key, money, rule
from ecom_assets.days import history, trailing
from ecom_assets.expressions import measures
from ecom_assets.expressions.dates import days_later
from ecom_assets.expressions.money import MONEY, extended, no_amount, ratio, total, total_count
from ecom_assets.table_asset import table_asset

TRAILING_DAYS = 28


class DailyInventory(Table, primary_key=("day", "category"), partition_column="day"):
    """One row per day and category with stock.

    Measures of 28 days cover the day and the 27 before it, as far as there was stock, for the products that are in the
    category at the end of the day, whichever category they were in before. Counts, units and amounts add up over
    categories; compute a ratio over categories from the sums. Units without a known cost have no value here.
    """

    day: Date = key("Business day")
    category: str = key("Category in the catalogue; unknown if not given")
    products: int = column("Products that have been in stock", ge=1)
    on_hand: Decimal = in_units("Units on hand at the end of the day")
    stock_value: Decimal = money("Units on hand at cost")
    units_sold: Decimal = in_units(measures.STOCK_SOLD, ge=0)
    stock_outs: int = column("Products with nothing on hand that sold within the 28 days", ge=0)
    stock_out_rate: float = column("Stock-outs per product", ge=0, le=1)
    days_stocked_28d: int = column("Days with stock in the 28 days", ge=1, le=TRAILING_DAYS)
    units_sold_28d: Decimal = in_units("Units sold in the 28 days", ge=0)
    units_available_28d: Decimal = in_units("Units on hand at the start of the 28 days, plus units received in them")
    cost_of_goods_28d: Decimal = money("Units sold in the 28 days, at cost", ge=0)
    mean_stock_value_28d: float = column("Mean of the stock values of the 28 days")
    sell_through_28d: float = column(
        "Units sold per unit available, in the 28 days; null if none was available", nullable=True
    )
    days_of_supply: float = column(
        "Units on hand per mean units sold per day of the 28; null if nothing sold", nullable=True
    )
    turnover_28d: float = column(
        "Cost of goods sold per mean stock value, in the 28 days; null if that value is zero", nullable=True
    )

    @rule
    def stock_outs_are_products(cls) -> nw.Expr:
        """There are no more stock-outs than products."""
        return nw.col("stock_outs") <= nw.col("products")

    @rule
    def the_day_is_one_of_28(cls) -> nw.Expr:
        """The units of the day are among those of the 28 days."""
        return nw.col("units_sold") <= nw.col("units_sold_28d")


OF_28_DAYS = ["units_sold_28d", "units_gone_28d", "cost_of_goods_28d", "summed_stock_value"]


def in_28_days(stock: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the 28-day sums of each product and day: running sums that each day enters, and later leaves."""
    c = nw.col
    enters = stock.with_columns(
        enters=nw.lit(1, nw.Int64),
        days_stocked_28d=nw.lit(1, nw.Int64),
        units_sold_28d=c("sold"),
        units_gone_28d=c("sold") - c("returned") - c("adjusted"),
        cost_of_goods_28d=nw.coalesce(extended("sold", "unit_cost"), no_amount()),
        summed_stock_value=nw.coalesce(c("stock_value"), no_amount()),
    )
    leaves = enters.select(
        "product_id",
        -c("days_stocked_28d"),
        *((-c(name)).cast(MONEY) for name in OF_28_DAYS),
        day=days_later(c("day"), TRAILING_DAYS),
        enters=nw.lit(0, nw.Int64),
    )

    def to_date(name: str) -> nw.Expr:
        return c(name).cum_sum().over("product_id", order_by=["day", "enters"])

    return (
        nw.concat([enters, leaves], how="diagonal")
        .with_columns(
            to_date("days_stocked_28d").cast(nw.Int64),
            *(to_date(name).cast(MONEY) for name in OF_28_DAYS),
        )
        .filter(c("enters") == 1)
    )


COUNTS = ["products", "stock_outs"]
UNITS = ["on_hand", "units_sold", "units_sold_28d", "units_available_28d"]
AMOUNTS = ["stock_value", "cost_of_goods_28d", "summed_stock_value"]


def transform(
    gold_fact_inventory_daily: nw.LazyFrame, gold_dim_product_versions: nw.LazyFrame, days: nw.LazyFrame
) -> nw.LazyFrame:
    c = nw.col
    is_out_of_stock = (c("on_hand") <= 0) & (c("units_sold_28d") > 0)
    return (
        in_28_days(gold_fact_inventory_daily)
        .join(days, on="day", how="semi")
        .join(gold_dim_product_versions.select("product_key", "category"), on="product_key", how="left")
        .with_columns(
            category=c("category").fill_null(measures.UNKNOWN_CATEGORY),
            products=nw.lit(1, nw.Int64),
            units_sold="sold",
            stock_outs=is_out_of_stock.cast(nw.Int64),
            units_available_28d=c("on_hand") + c("units_gone_28d"),
        )
        .group_by("day", "category")
        .agg(*map(total_count, COUNTS), *map(total, [*UNITS, *AMOUNTS]), c("days_stocked_28d").max())
        .with_columns(c("stock_value").fill_null(0).cast(MONEY))
        .with_columns(mean_stock_value_28d=ratio("summed_stock_value", "days_stocked_28d"))
        .with_columns(
            stock_out_rate=ratio("stock_outs", "products"),
            sell_through_28d=ratio("units_sold_28d", "units_available_28d"),
            days_of_supply=ratio(c("on_hand") * c("days_stocked_28d"), "units_sold_28d"),
            turnover_28d=ratio("cost_of_goods_28d", "mean_stock_value_28d"),
        )
        .select(*contract(DailyInventory).columns)
    )


asset = table_asset(
    DailyInventory,
    transform,
    reads={"gold_fact_inventory_daily": trailing(TRAILING_DAYS), "gold_dim_product_versions": history},
)
