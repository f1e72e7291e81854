"""Orders whose accepted lines do not sum to what they say: lines may be late, quarantined or wrong."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.expressions.included_tax import tax_on_top
from ecom_assets.expressions.money import MONEY, no_amount
from ecom_assets.kpi._settlement import amounts_of_lines, is_no_rounding
from ecom_assets.table_asset import table_asset


class IncompleteOrders(Table, primary_key="order_id", partition_column="ordered_on"):
    """One row per order without an accepted line, or with lines whose sum differs from its subtotal or its total.

    Sales are made from lines, so they lack the difference until the missing lines arrive; the row then disappears. An
    order without any line is not in sales at all.
    """

    order_id: str = key("Order number issued by the shop")
    difference: Decimal = money(
        "Subtotal less lines: positive if lines are missing; null without a subtotal or a total", nullable=True
    )
    ordered_on: Date = column("Business day on which it was placed")
    channel: str = column("Sales channel")
    status: str = column("Status of the order")
    subtotal: Decimal = money(
        "Sum of the lines after line discounts, from the order; if not given, its total plus discount less shipping "
        "and tax; null without both",
        nullable=True,
    )
    lines_amount: Decimal = money("Sum of the accepted lines after line discounts; zero without lines")

    @rule
    def subtotal_less_lines(cls) -> nw.Expr:
        """The subtotal less what the lines come to makes the difference."""
        both_unknown = nw.col("difference").is_null() & nw.col("subtotal").is_null()
        return both_unknown | (nw.col("difference") == nw.col("subtotal") - nw.col("lines_amount"))


def transform(silver_orders: nw.LazyFrame, silver_order_items: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    subtotal_of_total = c("total") + c("discount") - c("shipping") - tax_on_top()
    return (
        silver_orders.join(amounts_of_lines(silver_order_items), on="order_id", how="left")
        .with_columns(subtotal=nw.coalesce(c("subtotal"), subtotal_of_total).cast(MONEY))
        .with_columns(has_lines=~c("lines_amount").is_null(), lines_amount=nw.coalesce(c("lines_amount"), no_amount()))
        .with_columns(difference=(c("subtotal") - c("lines_amount")).cast(MONEY))
        .filter(~c("has_lines") | is_no_rounding("difference"))
        .select(*contract(IncompleteOrders).columns)
    )


asset = table_asset(IncompleteOrders, transform)
