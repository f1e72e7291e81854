"""How many customers come back: on each day, of all so far and of those of the last 90 and 365 days."""

import narwhals as nw

from ecom_assets.contract import Date, Table, column, contract, key, rule
from ecom_assets.dates import days_between
from ecom_assets.days import history
from ecom_assets.money import ratio, total_count
from ecom_assets.table_asset import table_asset

TRAILING = {"90d": 90, "365d": 365}
COUNTS = [f"{who}{suffix}" for who in ("customers", "repeat_customers") for suffix in ("", "_90d", "_365d")]


class DailyRepeatRates(Table, primary_key="day", partition_column="day"):
    """One row per day since the first valid order of a known customer.

    Trailing counts are of the orders of that many days, the day included.
    """

    day: Date = key("Business day")
    customers: int = column("Customers with a valid order to date", ge=1)
    repeat_customers: int = column("Customers with two or more valid orders to date", ge=0)
    repeat_purchase_rate: float = column("Repeat customers per customer, to date", ge=0, le=1)
    customers_90d: int = column("Customers with a valid order in 90 days", ge=0)
    repeat_customers_90d: int = column("Customers with two or more valid orders in 90 days", ge=0)
    repeat_purchase_rate_90d: float = column(
        "Repeat customers per customer, in 90 days; null without customers", nullable=True, ge=0, le=1
    )
    customers_365d: int = column("Customers with a valid order in 365 days", ge=0)
    repeat_customers_365d: int = column("Customers with two or more valid orders in 365 days", ge=0)
    repeat_purchase_rate_365d: float = column(
        "Repeat customers per customer, in 365 days; null without customers", nullable=True, ge=0, le=1
    )

    @rule
    def longer_holds_shorter(cls) -> nw.Expr:
        """No more customers have ordered in a shorter time than in a longer one."""
        return (nw.col("customers_90d") <= nw.col("customers_365d")) & (nw.col("customers_365d") <= nw.col("customers"))


def changes_to_date(orders: nw.LazyFrame) -> nw.LazyFrame:
    """By how much the counts to date grow with each day of orders."""
    c = nw.col
    is_second = (c("orders_to_date") >= 2) & (c("orders_to_date") - c("orders") < 2)
    return orders.select(
        "day",
        customers=(c("orders_to_date") == c("orders")).cast(nw.Int64),
        repeat_customers=is_second.cast(nw.Int64),
    )


def changes_in_trailing(orders: nw.LazyFrame, name: str, length: int) -> nw.LazyFrame:
    """By how much the counts of the last `length` days change: each customer comes in on a day and goes out on one.

    From one day of orders to the next, a customer counts while that day is among the last ones, and is a repeat
    customer while the order before it is, too.
    """
    c = nw.col
    until_next = orders.with_columns(next_order_on=c("day").shift(-1).over("customer_id", order_by="day"))
    spans = []
    for counted, leaves_with in ((f"customers_{name}", "day"), (f"repeat_customers_{name}", "order_before_on")):
        gone_on = c(leaves_with).cast(nw.Datetime("us")).dt.offset_by(f"{length}d").cast(nw.Date)
        goes_out = until_next.with_columns(out_on=nw.min_horizontal(gone_on, c("next_order_on"))).filter(
            c("out_on") > c("day"), ~c(leaves_with).is_null()
        )
        spans += [
            goes_out.select("day", nw.lit(1, nw.Int64).alias(counted)),
            goes_out.select(nw.lit(-1, nw.Int64).alias(counted), day="out_on"),
        ]
    return nw.concat(spans, how="diagonal")


def transform(gold_agg_customer_metrics: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    orders = gold_agg_customer_metrics.filter(c("orders") > 0).select(
        "day",
        "customer_id",
        "orders",
        "orders_to_date",
        order_before_on=nw.when(c("orders") > 1).then(c("day")).otherwise(c("previous_order_on")),
    )
    first_day = days.select(c("day").min().alias("first_day"))
    trailing = [
        changes_in_trailing(
            orders.join(first_day, how="cross").filter(days_between(c("day"), c("first_day")) < length), name, length
        )
        for name, length in TRAILING.items()
    ]
    counted = (
        nw.concat([changes_to_date(orders), *trailing, days], how="diagonal")
        .group_by("day")
        .agg(*map(total_count, COUNTS))
        .with_columns(c(COUNTS).fill_null(0).cum_sum().over(order_by="day").cast(nw.Int64))
        .join(days, on="day", how="semi")
        .filter(c("customers") > 0)
    )
    return counted.with_columns(
        repeat_purchase_rate=ratio("repeat_customers", "customers"),
        **{f"repeat_purchase_rate_{name}": ratio(f"repeat_customers_{name}", f"customers_{name}") for name in TRAILING},
    ).select(*contract(DailyRepeatRates).columns)


asset = table_asset(DailyRepeatRates, transform, reads={"gold_agg_customer_metrics": history})
