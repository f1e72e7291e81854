"""Repeat purchase rate to date, per day."""

import narwhals as nw

from ecom_assets.contract import Date, Table, column, contract, key, rule
from ecom_assets.days import history
from ecom_assets.expressions.money import ratio, total_count
from ecom_assets.table_asset import table_asset


class DailyRepeatRates(Table, primary_key="day", partition_column="day"):
    """One row per day since the first valid order of a known customer. Measures to date include the day."""

    day: Date = key("Business day")
    customers: int = column("Customers with a valid order to date", ge=0)
    repeat_customers: int = column("Customers with two or more valid orders to date", ge=0)
    repeat_purchase_rate: float = column("Repeat customers per customer, to date", ge=0, le=1)

    @rule
    def repeat_customers_are_customers(cls) -> nw.Expr:
        """There are no more repeat customers than customers."""
        return nw.col("repeat_customers") <= nw.col("customers")


COUNTS = ["customers", "repeat_customers"]


def transform(gold_agg_customer_metrics: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    orders_before = c("orders_to_date") - c("orders")
    is_first = (c("orders") > 0) & (orders_before == 0)
    is_second = (c("orders_to_date") >= 2) & (orders_before < 2) & (c("orders") > 0)
    changes = gold_agg_customer_metrics.select(
        "day", customers=is_first.cast(nw.Int64), repeat_customers=is_second.cast(nw.Int64)
    )
    return (
        nw.concat([changes, days], how="diagonal")
        .group_by("day")
        .agg(*map(total_count, COUNTS))
        .with_columns(c(COUNTS).fill_null(0).cum_sum().over(order_by="day").cast(nw.Int64))
        .join(days, on="day", how="semi")
        .filter(c("customers") > 0)
        .with_columns(repeat_purchase_rate=ratio("repeat_customers", "customers"))
        .select(*contract(DailyRepeatRates).columns)
    )


asset = table_asset(DailyRepeatRates, transform, reads={"gold_agg_customer_metrics": history})
