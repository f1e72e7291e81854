"""What the feeds say of each other's orders: rows and amounts that one of them lacks."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, expectation, key, money
from ecom_assets.days import around, if_known
from ecom_assets.expressions.dates import days_between
from ecom_assets.expressions.included_tax import tax_on_top
from ecom_assets.expressions.money import MONEY, no_amount, total, total_count
from ecom_assets.kpi._settlement import DAYS_TO_PAY, amounts_of_lines
from ecom_assets.table_asset import table_asset

LINES, SUBTOTALS = "orders have lines", "lines make the subtotals"
SHIPMENTS, PAYMENTS = "sent orders have shipments", "paid orders have payments"
TOTALS, EVENTS = "payments make the totals", "completed orders are known"
ONCE = "orders are placed once"
CHECKS = [LINES, SUBTOTALS, SHIPMENTS, PAYMENTS, TOTALS, EVENTS, ONCE]
FEWEST, ONE_IN = 6, 5
"""Orders that may be missing: fewer than six, or up to one in five. On the newest day so many rows may be late."""
PERCENT = 100
"""An amount is another one if they differ by more than one in a hundred."""
DAYS_AROUND_MIDNIGHT = 1


class FeedAgreement(Table, primary_key=("day", "check_name"), partition_column="day"):
    """One row per day and comparison of two feeds, by the number of the order.

    Lines, shipments and payments without an order are quarantined. Orders of one customer that agree in moment and
    amount are one that was placed again. Payments count from the day before the order to 7 days after it, and events
    may be a day apart from their order. A day on which the other feed has no row is not compared: a due file is missing
    then, or the shop does not send the feed.
    """

    day: Date = key("Business day of the orders, or of the events that complete them")
    check_name: str = key("Comparison", isin=CHECKS)
    missing: int = column("Orders that lack a row or the amount, or are placed again", ge=0)
    compared: int = column("Orders compared", ge=0)
    missing_amount: Decimal = money(
        "Amount that these orders lack, without sign; zero for events; that of orders placed again", ge=0
    )

    @expectation
    def orders_have_lines(cls) -> nw.Expr:
        """Of the day's orders, at most one in five, or five, have no line."""
        return _is_kept(LINES)

    @expectation
    def lines_make_the_subtotals(cls) -> nw.Expr:
        """Of the day's orders with lines, at most one in five, or five, have lines that miss its subtotal by 1 %."""
        return _is_kept(SUBTOTALS)

    @expectation
    def sent_orders_have_shipments(cls) -> nw.Expr:
        """Of the day's orders that are shipped or delivered, at most one in five, or five, have no shipment."""
        return _is_kept(SHIPMENTS)

    @expectation
    def paid_orders_have_payments(cls) -> nw.Expr:
        """Of the day's orders that are paid, at most one in five, or five, have no payment."""
        return _is_kept(PAYMENTS)

    @expectation
    def payments_make_the_totals(cls) -> nw.Expr:
        """Of the day's orders with payments, at most one in five, or five, have some that miss its total by 1 %."""
        return _is_kept(TOTALS)

    @expectation
    def orders_are_placed_once(cls) -> nw.Expr:
        """Of the day's orders of known customers, at most one in five, or five, equal one under another number."""
        return _is_kept(ONCE)

    @expectation
    def completed_orders_are_known(cls) -> nw.Expr:
        """Of the orders that the day's events complete, at most one in five, or five, are in no row of orders."""
        return _is_kept(EVENTS)


SENT = ["shipped", "delivered"]
TAKEN = ["authorised", "captured"]
SAME = ["day", "customer_id", "ordered_at", "amount"]
WIDE = nw.Decimal(38, 4)


def _is_kept(check: str) -> nw.Expr:
    c = nw.col
    is_few = (c("missing") < FEWEST) | (c("missing") * ONE_IN <= c("compared"))
    return (c("check_name") != check) | is_few


def _differs(amount: str, from_amount: str) -> nw.Expr:
    """Returns by how much an amount misses another one, null if by no more than a hundredth."""
    lack = (nw.col(amount).cast(WIDE) - nw.col(from_amount).cast(WIDE)).abs()
    return nw.when(lack * PERCENT > nw.col(from_amount).cast(WIDE).abs()).then(lack.cast(MONEY))


def transform(
    silver_orders: nw.LazyFrame,
    silver_order_items: nw.LazyFrame,
    silver_shipments: nw.LazyFrame,
    silver_order_completions: nw.LazyFrame,
    gold_fact_payments: nw.LazyFrame,
    days: nw.LazyFrame,
) -> nw.LazyFrame:
    c = nw.col
    around_midnight = silver_orders.select("order_id", "ordered_on")
    of_total = c("total") + c("discount") - c("shipping") - tax_on_top()
    orders = silver_orders.join(days, left_on="ordered_on", right_on="day", how="semi").select(
        "order_id",
        "customer_id",
        "ordered_at",
        "status",
        "total",
        day="ordered_on",
        subtotal=nw.coalesce(c("subtotal"), of_total).cast(MONEY),
        amount=nw.coalesce(c("total"), c("subtotal"), no_amount()).abs(),
    )
    with_lines = orders.join(
        amounts_of_lines(silver_order_items).select("order_id", "lines_amount"), on="order_id", how="left"
    )
    has_lines = ~c("lines_amount").is_null()
    sent = silver_shipments.filter(c("status").is_in(SENT)).select("order_id", is_sent=nw.lit(value=True)).unique()
    paid = (
        gold_fact_payments.filter(c("status").is_in(TAKEN))
        .select("order_id", "paid_on", "received")
        .join(orders.select("order_id", "day"), on="order_id")
        .filter(days_between(c("day"), c("paid_on")).is_between(-DAYS_AROUND_MIDNIGHT, DAYS_TO_PAY))
        .group_by("order_id")
        .agg(total("received"))
    )
    with_payments = orders.filter(c("status").is_in(["paid", *SENT])).join(paid, on="order_id", how="left")
    completed = silver_order_completions.select("order_id", day="occurred_on").join(
        around_midnight.select("order_id", is_known=nw.lit(value=True)), on="order_id", how="left"
    )
    known = orders.filter(~c("customer_id").is_null())
    first = known.group_by(*SAME).agg(first_id=c("order_id").min())
    none = no_amount()
    with_rows = {
        LINES: silver_order_items.select(day="ordered_on"),
        SHIPMENTS: silver_shipments.select(day="ordered_on"),
        PAYMENTS: gold_fact_payments.select(day="paid_on"),
        EVENTS: silver_orders.select(day="ordered_on"),
    }
    parts = [
        (LINES, with_lines, nw.when(~has_lines).then(c("amount"))),
        (SUBTOTALS, with_lines.filter(has_lines, ~c("subtotal").is_null()), _differs("lines_amount", "subtotal")),
        (
            SHIPMENTS,
            orders.filter(c("status").is_in(SENT)).join(sent, on="order_id", how="left"),
            nw.when(c("is_sent").is_null()).then(c("amount")),
        ),
        (PAYMENTS, with_payments, nw.when(c("received").is_null()).then(c("amount"))),
        (TOTALS, with_payments.filter(c("received") > 0, ~c("total").is_null()), _differs("received", "total")),
        (ONCE, known.join(first, on=SAME), nw.when(c("order_id") != c("first_id")).then(c("amount"))),
        (EVENTS, completed, nw.when(c("is_known").is_null()).then(none)),
    ]
    compared = [
        rows.join(with_rows[check], on="day", how="semi").select("day", check_name=nw.lit(check), lack=lack)
        if check in with_rows
        else rows.select("day", check_name=nw.lit(check), lack=lack)
        for check, rows, lack in parts
    ]
    return (
        nw.concat(compared)
        .with_columns(compared=nw.lit(1, nw.Int64), missing=(~c("lack").is_null()).cast(nw.Int64))
        .group_by("day", "check_name")
        .agg(total_count("missing"), total_count("compared"), total("lack").alias("missing_amount"))
        .with_columns(missing_amount=nw.coalesce(c("missing_amount"), none).cast(MONEY))
        .select(*contract(FeedAgreement).columns)
    )


asset = table_asset(
    FeedAgreement,
    transform,
    reads={
        "silver_order_items": if_known,
        "silver_shipments": if_known,
        "silver_order_completions": if_known,
        "silver_orders": around(DAYS_AROUND_MIDNIGHT, DAYS_AROUND_MIDNIGHT),
        "gold_fact_payments": around(DAYS_AROUND_MIDNIGHT, DAYS_TO_PAY),
    },
)
