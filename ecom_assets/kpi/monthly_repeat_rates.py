"""Repeat purchase rates over the last 90 and 365 days, at the end of each month."""

import narwhals as nw

from ecom_assets.contract import Date, Table, column, contract, key, rule
from ecom_assets.days import trailing
from ecom_assets.expressions.dates import days_between, is_month_end
from ecom_assets.expressions.money import ratio, total_count
from ecom_assets.table_asset import table_asset

SHORT, LONG = 90, 365


class MonthlyRepeatRates(Table, primary_key=("month_end", "trailing_days"), partition_column="month_end"):
    """One row per month and number of days, if a known customer has placed a valid order in these days."""

    month_end: Date = key("Last day of the month, and of the trailing days")
    trailing_days: int = key("Number of trailing days", isin=[SHORT, LONG])
    customers: int = column("Customers with a valid order in these days", ge=0)
    repeat_customers: int = column("Customers with two or more valid orders in these days", ge=0)
    repeat_purchase_rate: float = column("Repeat customers per customer, in these days", ge=0, le=1)

    @rule
    def repeat_customers_are_customers(cls) -> nw.Expr:
        """There are no more repeat customers than customers."""
        return nw.col("repeat_customers") <= nw.col("customers")


def transform(gold_agg_customer_metrics: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    month_ends = days.filter(is_month_end(c("day"))).select(month_end="day")
    spans = nw.concat([month_ends.with_columns(trailing_days=nw.lit(length, nw.Int64)) for length in (SHORT, LONG)])
    is_in_span = (c("day") <= c("month_end")) & (days_between(c("day"), c("month_end")) < c("trailing_days"))
    customers = (
        gold_agg_customer_metrics.filter(c("orders") > 0)
        .select("day", "customer_id", "orders")
        .join(spans, how="cross")
        .filter(is_in_span)
        .group_by("month_end", "trailing_days", "customer_id")
        .agg(total_count("orders"))
    )
    return (
        customers.select(
            "month_end",
            "trailing_days",
            customers=nw.lit(1, nw.Int64),
            repeat_customers=(c("orders") > 1).cast(nw.Int64),
        )
        .group_by("month_end", "trailing_days")
        .agg(*map(total_count, ["customers", "repeat_customers"]))
        .with_columns(repeat_purchase_rate=ratio("repeat_customers", "customers"))
        .select(*contract(MonthlyRepeatRates).columns)
    )


asset = table_asset(MonthlyRepeatRates, transform, reads={"gold_agg_customer_metrics": trailing(LONG)})
