"""Amounts reconciled that are known only weeks later: margins, open amounts of orders, and cohorts."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, contract, key, money, rule
from ecom_assets.days import history
from ecom_assets.expressions.dates import is_month_end
from ecom_assets.expressions.included_tax import tax_on_top
from ecom_assets.expressions.measures import received
from ecom_assets.expressions.money import MONEY, extended, no_amount, total
from ecom_assets.kpi._settlement import PAYMENTS_OF_ORDERS, amounts_of_lines, is_no_rounding, settles
from ecom_assets.table_asset import table_asset

SIDES = ["amount", "amount_upstream"]
_OF_ORDER = ["order_id", "ordered_on"]


class SettledReconciliation(Table, primary_key=("day", "table_name", "measure"), partition_column="day"):
    """One row per day, table and amount that is settled only weeks later.

    The parts of the margin are compared with silver; its net sales with `kpi.daily_sales`, which is itself compared
    with silver; its cost of goods with `gold.fact_sales`, which has the cost of each line's product at the time. The
    amounts that `kpi.unsettled_orders` lists are compared with captured less charged back and due, recomputed from the
    silver orders, lines and payments of all orders of the day. On the last day of a month, the net sales to date of all
    cohorts are compared with those of all customers with an order. A day on which one differs fails here. A day is
    provisional for 45 days. Net sales that are unknown, as returns of the day are, have no row.
    """

    day: Date = key("Business day")
    table_name: str = key("Table compared")
    measure: str = key("Measure compared")
    amount: Decimal = money("Amount in that table")
    amount_upstream: Decimal = money("Amount in the tables that it is made from")

    @rule
    def same_upstream(cls) -> nw.Expr:
        """A table has the amount that it is made of."""
        return nw.col("amount") == nw.col("amount_upstream")


def owed(items: nw.LazyFrame, orders: nw.LazyFrame, payments: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the amounts captured for each of a day's orders, and those charged back and due with a negative sign.

    Of an order in another currency it is their sum, unless that is but rounding.
    """
    c = nw.col
    not_cancelled = orders.filter(c("status") != "cancelled")
    with_total, without_total = not_cancelled.filter(~c("total").is_null()), not_cancelled.filter(c("total").is_null())
    money_moved = payments.select(
        "order_id", "paid_on", received=received(), is_charged_back=c("status") == "charged_back"
    )
    paid = money_moved.join(orders, on="order_id")
    charges = (c("discount") - c("shipping") - tax_on_top()).cast(MONEY)
    due = [
        with_total.select(*_OF_ORDER, amount_upstream=(-c("total")).cast(MONEY)),
        without_total.join(items, on="order_id", how="semi").select(*_OF_ORDER, amount_upstream=charges),
        without_total.join(items, on="order_id", how="anti")
        .select(*_OF_ORDER, amount_upstream=charges)
        .filter(c("amount_upstream") < 0),
        items.join(without_total, on="order_id", how="semi").select(
            *_OF_ORDER, amount_upstream=(c("discount") - extended("quantity", "unit_price")).cast(MONEY)
        ),
    ]
    amounts = nw.concat([paid.filter(settles()).select(*_OF_ORDER, amount_upstream="received"), *due])
    converted = orders.filter(~c("currency").is_null()).select("order_id", "currency")
    differences = amounts.join(converted, on="order_id").group_by(*_OF_ORDER, "currency").agg(total("amount_upstream"))
    of_converted = differences.join(amounts_of_lines(items), on="order_id", how="left").filter(
        is_no_rounding("amount_upstream")
    )
    both = [amounts.join(converted, on="order_id", how="anti"), of_converted]
    return nw.concat([rows.select("amount_upstream", day="ordered_on") for rows in both])


def brought_by_month_ends(customers: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the net sales to date of each customer with an order, at the end of each month."""
    c = nw.col
    month_ends = days.filter(is_month_end(c("day"))).select(month_end="day")
    so_far = customers.join(month_ends, how="cross").filter(c("day") <= c("month_end"))
    latest = so_far.with_columns(latest=c("day").max().over("month_end", "customer_id")).filter(c("day") == c("latest"))
    return latest.filter(~c("first_order_on").is_null()).select(day="month_end", amount_upstream="net_sales_to_date")


def transform(
    silver_order_items: nw.LazyFrame,
    silver_orders: nw.LazyFrame,
    silver_payments: nw.LazyFrame,
    silver_shipments: nw.LazyFrame,
    silver_ad_spend: nw.LazyFrame,
    gold_fact_sales: nw.LazyFrame,
    gold_agg_customer_metrics: nw.LazyFrame,
    kpi_daily_sales: nw.LazyFrame,
    kpi_daily_margin: nw.LazyFrame,
    kpi_unsettled_orders: nw.LazyFrame,
    kpi_monthly_cohorts: nw.LazyFrame,
    days: nw.LazyFrame,
) -> nw.LazyFrame:
    fees = silver_payments.select(day="paid_on", amount_upstream="fee").join(days, on="day", how="semi")
    not_cancelled = silver_orders.filter(nw.col("status") != "cancelled")
    goods = (
        gold_fact_sales.filter(~nw.col("is_gift_card"))
        .join(not_cancelled, on="order_id", how="semi")
        .select(day="ordered_on", amount_upstream="cost")
    )
    upstream = {
        ("kpi.daily_margin", "net_sales"): kpi_daily_sales.filter(~nw.col("net_sales").is_null()).select(
            "day", amount_upstream="net_sales"
        ),
        ("kpi.daily_margin", "cost_of_goods"): goods,
        ("kpi.daily_margin", "shipping_cost"): silver_shipments.select(day="ordered_on", amount_upstream="cost"),
        ("kpi.daily_margin", "payment_fees"): fees,
        ("kpi.daily_margin", "marketing"): silver_ad_spend.select(day="shown_on", amount_upstream="spend"),
        ("kpi.unsettled_orders", "difference"): owed(silver_order_items, silver_orders, silver_payments),
        ("kpi.monthly_cohorts", "net_sales_to_date"): brought_by_month_ends(gold_agg_customer_metrics, days),
    }
    downstream = {
        "kpi.daily_margin": (kpi_daily_margin, "day"),
        "kpi.unsettled_orders": (kpi_unsettled_orders, "ordered_on"),
        "kpi.monthly_cohorts": (kpi_monthly_cohorts, "month_end"),
    }
    sides = [
        rows.with_columns(table_name=nw.lit(table), measure=nw.lit(measure))
        for (table, measure), made_of in upstream.items()
        for made, day in [downstream[table]]
        for rows in (made_of, made.filter(~nw.col(measure).is_null()).select(day=day, amount=measure))
    ]
    return (
        nw.concat(sides, how="diagonal")
        .group_by("day", "table_name", "measure")
        .agg(*map(total, SIDES))
        .with_columns(nw.coalesce(nw.col(side), no_amount()).alias(side) for side in SIDES)
        .select(*contract(SettledReconciliation).columns)
    )


asset = table_asset(
    SettledReconciliation,
    transform,
    reads={"silver_payments": PAYMENTS_OF_ORDERS, "gold_agg_customer_metrics": history},
)
