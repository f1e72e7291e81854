"""Money reconciled end to end: each table has the amounts of silver, per day and to the last decimal."""

from collections.abc import Sequence

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, contract, key, money, rule
from ecom_assets.expressions import measures
from ecom_assets.expressions.amounts_of_days import refunded_lines, sold_lines
from ecom_assets.expressions.gift_cards import is_gift_card_method
from ecom_assets.expressions.money import MONEY, no_amount, total
from ecom_assets.expressions.order_discounts import LINE
from ecom_assets.table_asset import table_asset

SALES = ["gross_sales", "discounts", "returns", "net_sales"]
CHARGES = ["shipping", "tax", "refunded_shipping", "refunded_tax", "total_sales"]
REVENUE = "revenue"
CAPTURED = "captured"
GIFT_CARDS = "gift_cards_sold"
SOLD = ["gross_sales", "discounts", "shipping", "tax", REVENUE]
REFUNDS = ["returns", "refunded_shipping", "refunded_tax"]
ALL = [*SALES, *CHARGES, REVENUE, CAPTURED, GIFT_CARDS]


class DailyReconciliation(Table, primary_key=("day", "measure", "table_name"), partition_column="day"):
    """One row per day, amount and table that holds it.

    The amounts of silver are recomputed from the lines, orders, returns and payments. Revenue is gross sales less
    discounts. To a table of known customers, the sales and refunds of guests are added. A day on which one table
    differs fails here, and its check shows the rows that differ.
    """

    day: Date = key("Business day")
    measure: str = key("Measure compared", isin=ALL)
    table_name: str = key("Table compared")
    amount: Decimal = money("Amount in that table")
    amount_in_silver: Decimal = money("Amount in silver")

    @rule
    def same_in_every_table(cls) -> nw.Expr:
        """A table made of silver has the amount that silver has."""
        return nw.col("amount") == nw.col("amount_in_silver")


def by_day(rows: nw.LazyFrame, names: Sequence[str], *keys: str) -> nw.LazyFrame:
    """Returns the sums of columns by day."""
    return rows.group_by("day", *keys).agg(*map(total, names))


def in_silver(
    items: nw.LazyFrame,
    orders: nw.LazyFrame,
    returns: nw.LazyFrame,
    payments: nw.LazyFrame,
    sales: nw.LazyFrame,
    refunds: nw.LazyFrame,
    unpaid: nw.LazyFrame,
    taxes: nw.LazyFrame,
) -> nw.LazyFrame:
    """Returns the amounts of silver by day, one column each.

    Which lines and refunds are gift cards, which orders were cancelled unpaid, and what tax prices include, the facts
    say.
    """
    c = nw.col
    valid = orders.filter(measures.is_valid_sale()).join(unpaid, on="order_id", how="anti")
    of_valid = items.join(valid, on="order_id", how="semi").with_columns(
        gross_sales=measures.gross_of_line(), discount=measures.discount_of_line()
    )
    gift_lines = sales.filter(c("is_gift_card")).select(*LINE, "order_discount")
    lines = of_valid.join(gift_lines, on=LINE, how="anti").select("gross_sales", day="ordered_on", discounts="discount")
    after_discounts = c("gross_sales") - c("discount") - c("order_discount")
    gift_cards = of_valid.join(gift_lines, on=LINE).select(
        day="ordered_on", gift_cards_sold=after_discounts.cast(MONEY), discounts=-c("order_discount")
    )
    of_orders = valid.join(items, on="order_id", how="semi").select(
        "shipping", "tax", day="ordered_on", discounts="discount"
    )
    charges = returns.select(day="returned_on", refunded_shipping="shipping", refunded_tax="tax")
    gift_refunds = refunds.filter(c("is_gift_card"))
    of_goods = returns.join(gift_refunds, on="return_id", how="anti").select(day="returned_on", returns="amount")
    of_gift_cards = returns.join(gift_refunds, on="return_id", how="semi").select(
        day="returned_on", gift_cards_sold=-c("amount")
    )
    is_gift_line, in_amount = c("is_gift_line").fill_null(value=False), c("amount_sent") - c("amount")
    taxed = (
        taxes.join(valid, on="order_id", how="semi")
        .join(items, on="order_id", how="semi")
        .join(gift_lines.select(*LINE, is_gift_line=nw.lit(True)), on=LINE, how="left")
    )
    of_discounts = nw.when(is_gift_line).then(no_amount()).otherwise(c("line_discount_tax")) + c("order_discount_tax")
    on_lines = taxed.filter(c("line_number") > 0).select(
        day="ordered_on",
        gross_sales=nw.when(~is_gift_line).then(-c("gross_tax")),
        discounts=-of_discounts,
        gift_cards_sold=nw.when(is_gift_line).then(c("line_discount_tax") - c("gross_tax")),
    )
    on_shipping = taxed.filter(c("line_number") == 0).select(day="ordered_on", shipping=-c("gross_tax"))
    on_refunds = refunds.select(
        day="returned_on",
        returns=nw.when(~c("is_gift_card")).then(-in_amount),
        gift_cards_sold=nw.when(c("is_gift_card")).then(in_amount),
        refunded_shipping=c("shipping") - c("shipping_sent"),
    )
    captured = payments.filter(c("status") == CAPTURED, ~is_gift_card_method("method")).select(
        day="paid_on", captured="amount"
    )
    sent = [*SALES[:-1], *CHARGES[:-1], CAPTURED, GIFT_CARDS]
    parts = [
        lines,
        of_orders,
        gift_cards,
        charges,
        of_goods,
        of_gift_cards,
        captured,
        on_lines,
        on_shipping,
        on_refunds,
    ]
    return (
        by_day(nw.concat(parts, how="diagonal"), sent)
        .with_columns(nw.coalesce(c(name), no_amount()).alias(name) for name in sent)
        .with_columns(net_sales=measures.net_sales(), total_sales=measures.total_sales(), revenue=measures.revenue())
    )


def transform(
    silver_order_items: nw.LazyFrame,
    silver_orders: nw.LazyFrame,
    silver_returns: nw.LazyFrame,
    silver_payments: nw.LazyFrame,
    gold_fact_sales: nw.LazyFrame,
    gold_fact_returns: nw.LazyFrame,
    gold_fact_payments: nw.LazyFrame,
    gold_fact_unpaid_cancellations: nw.LazyFrame,
    gold_fact_included_taxes: nw.LazyFrame,
    gold_agg_daily_sales: nw.LazyFrame,
    gold_agg_product_performance: nw.LazyFrame,
    gold_agg_customer_metrics: nw.LazyFrame,
    kpi_daily_sales: nw.LazyFrame,
    kpi_daily_product_sales: nw.LazyFrame,
    kpi_daily_category_sales: nw.LazyFrame,
    kpi_daily_store_sales: nw.LazyFrame,
    kpi_daily_customers: nw.LazyFrame,
    kpi_daily_payments: nw.LazyFrame,
    days: nw.LazyFrame,
) -> nw.LazyFrame:
    c = nw.col
    is_guest = c("customer_id").is_null()
    lines = sold_lines(gold_fact_sales).select(
        *SOLD[:-1], day="ordered_on", revenue=measures.revenue(), is_guest=is_guest
    )
    refunds = refunded_lines(gold_fact_returns, "customer_id").with_columns(is_guest=is_guest)
    sold, refunded = by_day(lines, SOLD, "is_guest"), by_day(refunds, REFUNDS, "is_guest")
    of_guests = (
        nw.concat([sold, refunded], how="diagonal")
        .filter(c("is_guest"))
        .with_columns(nw.coalesce(c(name), no_amount()).alias(name) for name in SALES[:-1])
        .with_columns(net_sales=measures.net_sales())
    )
    of_known = by_day(gold_agg_customer_metrics, SALES)
    of_all = nw.concat([rows.select("day", *SALES) for rows in (of_known, of_guests)])
    of_buyers = kpi_daily_customers.with_columns(
        revenue=(c("new_sales") + c("returning_sales") + c("guest_sales")).cast(MONEY)
    )
    received = gold_fact_payments.filter(c("received") > 0, ~c("is_gift_card")).select(
        day="paid_on", captured="received"
    )
    paid = kpi_daily_payments.select("day", captured="captured_amount")
    tables = {
        "gold.fact_sales": (sold, SOLD),
        "gold.fact_returns": (refunded, REFUNDS),
        "gold.fact_payments": (received, [CAPTURED]),
        "gold.agg_daily_sales": (gold_agg_daily_sales, [*SALES, *CHARGES, GIFT_CARDS]),
        "gold.agg_product_performance": (gold_agg_product_performance, SALES),
        "gold.agg_customer_metrics": (of_all, SALES),
        "kpi.daily_sales": (kpi_daily_sales, [*SALES, *CHARGES, GIFT_CARDS]),
        "kpi.daily_product_sales": (kpi_daily_product_sales, SALES),
        "kpi.daily_category_sales": (kpi_daily_category_sales, SALES),
        "kpi.daily_store_sales": (kpi_daily_store_sales, [*SALES, *CHARGES, GIFT_CARDS]),
        "kpi.daily_customers": (of_buyers, [REVENUE]),
        "kpi.daily_payments": (paid, [CAPTURED]),
    }
    compared = nw.concat(
        [
            days.select("day", table_name=nw.lit(table), measure=nw.lit(name))
            for table, (_, names) in tables.items()
            for name in names
        ]
    )
    found = nw.concat(
        [by_day(rows, names).with_columns(table_name=nw.lit(table)) for table, (rows, names) in tables.items()],
        how="diagonal",
    )
    silver = in_silver(
        silver_order_items,
        silver_orders,
        silver_returns,
        silver_payments,
        gold_fact_sales,
        gold_fact_returns,
        gold_fact_unpaid_cancellations,
        gold_fact_included_taxes,
    )
    there = {f"{name}_in_silver": name for name in ALL}
    amount, amount_in_silver = (
        nw.coalesce(*(nw.when(c("measure") == name).then(c(f"{name}{place}")) for name in ALL))
        for place in ("", "_in_silver")
    )
    return (
        compared.join(found, on=["day", "table_name"], how="left")
        .join(silver.select("day", **there), on="day", how="left")
        .with_columns(amount=amount, amount_in_silver=amount_in_silver)
        .filter(~c("amount").is_null() | ~c("amount_in_silver").is_null())
        .with_columns(nw.coalesce(c(name), no_amount()).alias(name) for name in ("amount", "amount_in_silver"))
        .select(*contract(DailyReconciliation).columns)
    )


asset = table_asset(DailyReconciliation, transform)
