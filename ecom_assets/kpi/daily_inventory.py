"""Stock by day and category: how much there is, how fast it sells, how long it lasts and what is out of stock."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.dates import days_between
from ecom_assets.days import history, trailing
from ecom_assets.gold.dim_product_versions import UNKNOWN_CATEGORY
from ecom_assets.money import MONEY, extended, ratio, total, total_count
from ecom_assets.table_asset import table_asset

TRAILING_DAYS = 28


class DailyInventory(Table, primary_key=("day", "category"), partition_column="day"):
    """One row per day and category with stock.

    What is of 28 days is of the day and the 27 before it, as far as there was stock. Counts, units and amounts add up
    over categories; a ratio of all is the ratio of the sums. Units without a known cost are worth nothing here.
    """

    day: Date = key("Business day")
    category: str = key("Where the products stand in the catalogue; unknown where it does not say")
    products: int = column("Products that have been in stock", ge=1)
    on_hand: int = column("Units on hand as the day ends")
    stock_value: Decimal = money("Units on hand at cost")
    units_sold: int = column("Units that left for customers", ge=0)
    stock_outs: int = column("Products with nothing on hand that sold within the 28 days", ge=0)
    stock_out_rate: float = column("Stock-outs per product", ge=0, le=1)
    days_stocked_28d: int = column("Days with stock in the 28 days", ge=1, le=TRAILING_DAYS)
    units_sold_28d: int = column("Units that left for customers in 28 days", ge=0)
    units_available_28d: int = column("Units on hand as the 28 days began, and units received in them")
    cost_of_goods_28d: Decimal = money("Units that left for customers in 28 days, at cost", ge=0)
    mean_stock_value_28d: float = column("Mean of the stock values of the 28 days")
    sell_through_28d: float = column("Units sold per unit available, in 28 days; null if none was", nullable=True)
    days_of_supply: float = column(
        "Units on hand per unit sold on a mean day of the 28; null where nothing sold", nullable=True
    )
    turnover_28d: float = column(
        "Cost of goods sold per mean stock value, in 28 days; null where the stock is worth nothing", nullable=True
    )

    @rule
    def stock_outs_are_products(cls) -> nw.Expr:
        """There are no more stock-outs than products."""
        return nw.col("stock_outs") <= nw.col("products")

    @rule
    def the_day_is_one_of_28(cls) -> nw.Expr:
        """The units of the day are among those of the 28 days."""
        return nw.col("units_sold") <= nw.col("units_sold_28d")


def is_out_of_stock(stock: nw.LazyFrame) -> nw.LazyFrame:
    """Adds whether there is nothing on hand of a product that sold on the day or in the 27 days before."""
    c = nw.col
    sold_on = nw.when(c("sold") > 0).then(c("day"))
    last_sold = stock.with_columns(sold_on=sold_on).with_columns(
        last_sold_on=c("sold_on").fill_null(strategy="forward").over("product_id", order_by="day")
    )
    sold_lately = (days_between(c("last_sold_on"), c("day")) < TRAILING_DAYS).fill_null(value=False)
    return last_sold.with_columns(is_out_of_stock=(c("on_hand") <= 0) & sold_lately)


COUNTS = ["products", "on_hand", "stock_outs", "units_sold", "opening", "came"]
AMOUNTS = ["stock_value", "cost_of_goods"]


def by_category(stock: nw.LazyFrame, products: nw.LazyFrame) -> nw.LazyFrame:
    """The stock of each day, summed over the products of a category."""
    c = nw.col
    return (
        is_out_of_stock(stock)
        .join(products.select("product_key", "category"), on="product_key", how="left")
        .select(
            "day",
            "on_hand",
            "stock_value",
            "opening",
            category=c("category").fill_null(UNKNOWN_CATEGORY),
            products=nw.lit(1, nw.Int64),
            stock_outs=c("is_out_of_stock").cast(nw.Int64),
            units_sold="sold",
            came=c("opened") + c("received"),
            cost_of_goods=extended("sold", "unit_cost"),
        )
        .group_by("day", "category")
        .agg(*map(total_count, COUNTS), *map(total, AMOUNTS))
        .with_columns(c(AMOUNTS).fill_null(0).cast(MONEY))
    )


def in_28_days(categories: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    """For each of the days, what the 28 days up to it come to."""
    c = nw.col
    that_day = categories.select(
        "category", "opening", "came", "units_sold", "stock_value", "cost_of_goods", stocked_on="day"
    )
    is_first_day = c("stocked_on") == c("stocked_on").min().over("day", "category")
    return (
        categories.join(days, on="day", how="semi")
        .select("day", "category")
        .join(that_day, on="category")
        .filter(days_between(c("stocked_on"), c("day")).is_between(0, TRAILING_DAYS - 1))
        .with_columns(
            days_stocked_28d=nw.lit(1, nw.Int64),
            units_available_28d=c("came") + nw.when(is_first_day).then(c("opening")).otherwise(0),
        )
        .group_by("day", "category")
        .agg(
            total_count("days_stocked_28d"),
            total_count("units_available_28d"),
            total_count("units_sold").alias("units_sold_28d"),
            total("cost_of_goods").alias("cost_of_goods_28d"),
            total("stock_value").alias("summed_stock_value"),
        )
        .with_columns(mean_stock_value_28d=ratio("summed_stock_value", "days_stocked_28d"))
    )


def transform(
    gold_fact_inventory_daily: nw.LazyFrame, gold_dim_product_versions: nw.LazyFrame, days: nw.LazyFrame
) -> nw.LazyFrame:
    categories = by_category(gold_fact_inventory_daily, gold_dim_product_versions)
    return (
        categories.join(in_28_days(categories, days), on=["day", "category"])
        .with_columns(
            stock_out_rate=ratio("stock_outs", "products"),
            sell_through_28d=ratio("units_sold_28d", "units_available_28d"),
            days_of_supply=ratio(nw.col("on_hand") * nw.col("days_stocked_28d"), "units_sold_28d"),
            turnover_28d=ratio("cost_of_goods_28d", "mean_stock_value_28d"),
        )
        .select(*contract(DailyInventory).columns)
    )


asset = table_asset(
    DailyInventory,
    transform,
    reads={"gold_fact_inventory_daily": trailing(TRAILING_DAYS), "gold_dim_product_versions": history},
)
