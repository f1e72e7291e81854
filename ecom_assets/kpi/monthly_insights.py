"""Sources of a month's sales: categories, part of the week, customers, payment methods, season."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money
from ecom_assets.days import trailing
from ecom_assets.expressions import measures
from ecom_assets.expressions.dates import days_between, is_month_end, month_of
from ecom_assets.expressions.money import MONEY, no_amount, ratio, total, total_count
from ecom_assets.table_asset import table_asset

LONGEST_MONTH = 31
YEAR = 365
CATEGORIES, WEEK, CUSTOMERS, PAYMENTS, SEASON = "category", "part of the week", "customers", "payment method", "season"


class MonthlyInsights(Table, primary_key=("month_end", "insight", "item"), partition_column="month_end"):
    """One row per month, insight and part into which the insight divides an amount.

    The amount is gross sales less discounts of the month by category, by part of the week (weekday, weekend) and by
    customers (the top 20 % of the known customers of the month by their sales, and the others); of the 365 days up to
    its end by season (the month, the other months). By payment method it is the amount captured in the month.
    """

    month_end: Date = key("Last day of the month")
    insight: str = key("Dimension by which the amount is divided", isin=[CATEGORIES, WEEK, CUSTOMERS, PAYMENTS, SEASON])
    item: str = key("The part")
    amount: Decimal = money("Amount of the part")
    share: float = column("Share of the part in the amount; null if the amount is zero", nullable=True)
    index: float = column(
        "Amount per day of the part, relative to that of the whole; null if the parts are not made of days",
        nullable=True,
    )


WHOLE = ["month_end", "insight"]


def in_month(rows: nw.LazyFrame, month_ends: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the rows of the months that end."""
    same_month = month_of(nw.col("day")) == month_of(nw.col("month_end"))
    return rows.join(month_ends, how="cross").filter(same_month)


def best_customers(metrics: nw.LazyFrame, month_ends: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the sales to the top fifth of a month's customers, and to the others."""
    c = nw.col
    customers = (
        in_month(metrics.filter(c("orders") > 0).select("day", "customer_id", amount=measures.revenue()), month_ends)
        .group_by("month_end", "customer_id")
        .agg(total("amount"))
    )
    place = c("customer_id").cum_count().over("month_end", order_by=["amount", "customer_id"]).cast(nw.Int64)
    below = nw.len().over("month_end").cast(nw.Int64) * 4 // 5
    item = nw.when(place > below).then(nw.lit("top 20 %")).otherwise(nw.lit("others"))
    return customers.select("month_end", "amount", insight=nw.lit(CUSTOMERS), item=item)


def transform(
    kpi_daily_category_sales: nw.LazyFrame,
    kpi_daily_payments: nw.LazyFrame,
    kpi_daily_sales: nw.LazyFrame,
    gold_agg_customer_metrics: nw.LazyFrame,
    gold_dim_date: nw.LazyFrame,
    days: nw.LazyFrame,
) -> nw.LazyFrame:
    c = nw.col
    month_ends = days.filter(is_month_end(c("day"))).select(month_end="day")
    sales = kpi_daily_sales.group_by("day").agg(total("gross_sales"), total("discounts"))
    dates = gold_dim_date.join(sales, on="day", how="left").select(
        "day", "is_weekend", amount=nw.coalesce(measures.revenue(), no_amount()), days=nw.lit(1, nw.Int64)
    )
    is_this_month = month_of(c("day")) == month_of(c("month_end"))
    year = dates.join(month_ends, how="cross").filter(days_between(c("day"), c("month_end")).is_between(0, YEAR - 1))
    parts = [
        in_month(kpi_daily_category_sales.select("day", item="category", amount=measures.revenue()), month_ends).select(
            "month_end", "item", "amount", insight=nw.lit(CATEGORIES)
        ),
        in_month(kpi_daily_payments.select("day", item="method", amount="captured_amount"), month_ends).select(
            "month_end", "item", "amount", insight=nw.lit(PAYMENTS)
        ),
        in_month(dates, month_ends).select(
            "month_end",
            "amount",
            "days",
            insight=nw.lit(WEEK),
            item=nw.when(c("is_weekend")).then(nw.lit("weekend")).otherwise(nw.lit("weekday")),
        ),
        year.select(
            "month_end",
            "amount",
            "days",
            insight=nw.lit(SEASON),
            item=nw.when(is_this_month).then(nw.lit("the month")).otherwise(nw.lit("the other months")),
        ),
        best_customers(gold_agg_customer_metrics, month_ends),
    ]
    divided = (
        nw.concat(parts, how="diagonal")
        .group_by(*WHOLE, "item")
        .agg(total("amount"), total_count("days"))
        .with_columns(
            whole=c("amount").sum().over(WHOLE).cast(MONEY), all_days=c("days").sum().over(WHOLE).cast(nw.Int64)
        )
    )
    return (
        divided.with_columns(share=ratio("amount", "whole"), share_of_days=ratio("days", "all_days"))
        .with_columns(index=ratio("share", "share_of_days"))
        .select(*contract(MonthlyInsights).columns)
    )


asset = table_asset(
    MonthlyInsights,
    transform,
    reads={
        "kpi_daily_category_sales": trailing(LONGEST_MONTH),
        "kpi_daily_payments": trailing(LONGEST_MONTH),
        "kpi_daily_sales": trailing(YEAR),
        "gold_agg_customer_metrics": trailing(LONGEST_MONTH),
        "gold_dim_date": trailing(YEAR),
    },
)
