"""Orders whose payments differ from the amount due, a week after they were placed; cancelled ones after 45 days."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.expressions.included_tax import tax_on_top
from ecom_assets.expressions.money import MONEY, no_amount, total
from ecom_assets.kpi._settlement import PAYMENTS_OF_ORDERS, amounts_of_lines, is_no_rounding, settles
from ecom_assets.table_asset import table_asset


class UnsettledOrders(Table, primary_key="order_id", partition_column="ordered_on"):
    """One row per order for which more or less was captured within 7 days than is due.

    The amount due is the order's total, whether or not all of its lines have arrived; `kpi.incomplete_orders` lists
    orders with missing lines. Nothing is due for a cancelled order: its captured amount must be refunded within 45
    days. What the bank took back within 45 days is missing of any order. A payment on the day before the order counts,
    since one clock may be behind the other at midnight. Of an order in
    another currency, a difference that rounding explains is not listed. A day is provisional until the 45 days are
    over.
    """

    order_id: str = key("Order number issued by the shop")
    difference: Decimal = money(
        "Captured less charged back less due: negative if the customer owes, positive if the shop owes"
    )
    ordered_on: Date = column("Business day on which it was placed")
    customer_id: str = column("Customer who placed it; null for guests", nullable=True, personal=True)
    channel: str = column("Sales channel")
    status: str = column("Status of the order")
    due: Decimal = money(
        "Total of the order; if not given, its lines after discounts plus shipping and tax, negative if the order's "
        "discount exceeds these, but at least zero without lines; zero if cancelled"
    )
    captured: Decimal = money(
        "Captured, or redeemed by gift card, within 7 days; for a cancelled order, less refunded, within 45 days"
    )

    charged_back: Decimal = money("Taken back by the bank within 45 days", ge=0)

    @rule
    def captured_less_due(cls) -> nw.Expr:
        """What is captured less what is charged back and what is due makes the difference."""
        return nw.col("difference") == nw.col("captured") - nw.col("charged_back") - nw.col("due")


PAID = ["captured", "charged_back"]


def transform(
    silver_orders: nw.LazyFrame, silver_order_items: nw.LazyFrame, gold_fact_payments: nw.LazyFrame
) -> nw.LazyFrame:
    c = nw.col
    charges = c("shipping") + tax_on_top() - c("discount")
    without_lines = nw.when(charges > 0).then(charges).otherwise(no_amount())
    due = nw.coalesce(c("total"), c("lines_amount") + charges, without_lines)
    orders = (
        silver_orders.join(amounts_of_lines(silver_order_items), on="order_id", how="left")
        .with_columns(due=nw.when(c("status") == "cancelled").then(no_amount()).otherwise(due).cast(MONEY))
        .select("order_id", "ordered_on", "customer_id", "channel", "status", "due", "currency", "line_count", "units")
    )
    paid = (
        gold_fact_payments.select("order_id", "paid_on", "received", is_charged_back=c("status") == "charged_back")
        .join(orders, on="order_id")
        .filter(settles())
        .with_columns(
            captured=nw.when(~c("is_charged_back")).then(c("received")),
            charged_back=nw.when(c("is_charged_back")).then(-c("received")),
        )
        .group_by("order_id")
        .agg(*map(total, PAID))
    )
    settled = orders.join(paid, on="order_id", how="left").with_columns(
        nw.coalesce(c(name), no_amount()).cast(MONEY).alias(name) for name in PAID
    )
    return (
        settled.with_columns(difference=(c("captured") - c("charged_back") - c("due")).cast(MONEY))
        .filter(is_no_rounding("difference"))
        .select(*contract(UnsettledOrders).columns)
    )


asset = table_asset(UnsettledOrders, transform, reads={"gold_fact_payments": PAYMENTS_OF_ORDERS})
