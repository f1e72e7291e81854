"""Purchases and returns per customer and day: the source of all customer history."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, in_units, key, money
from ecom_assets.expressions import measures
from ecom_assets.expressions.amounts_of_days import sold_and_refunded
from ecom_assets.expressions.money import no_amount, total, total_count
from ecom_assets.table_asset import table_asset


class AggCustomerDays(Table, primary_key=("day", "customer_id"), partition_column="day"):
    """One row per customer and day on which there is a valid order or a refund of theirs."""

    day: Date = key("Business day")
    customer_id: str = key("Customer number issued by the shop", personal=True)
    orders: int = column(measures.VALID_ORDERS, ge=0)
    units: Decimal = in_units(measures.UNITS, ge=0)
    gross_sales: Decimal = money(measures.GROSS_SALES, ge=0)
    discounts: Decimal = money(measures.DISCOUNTS, ge=0)
    returns: Decimal = measures.needs_returns(measures.RETURNS, ge=0)
    first_sales: Decimal = money("Gross sales less discounts of the day's first valid order; zero without one")


SUMS = ["units", "gross_sales", "discounts", "returns", "first_sales"]


def transform(gold_fact_sales: nw.LazyFrame, gold_fact_returns: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    bought = (
        gold_fact_sales.filter(c("is_valid"), ~c("customer_id").is_null())
        .with_columns(is_first=measures.is_first_order_of_day())
        .select(
            "customer_id",
            "gross_sales",
            "discounts",
            day="ordered_on",
            orders=c("is_first_line").cast(nw.Int64),
            units="quantity",
            first_sales=nw.when(c("is_first")).then(c("net_amount")).otherwise(no_amount()),
        )
    )
    brought_back = gold_fact_returns.filter(~c("is_gift_card"), ~c("customer_id").is_null()).select(
        "customer_id", day="returned_on", returns="amount"
    )
    return (
        nw.concat([bought, brought_back], how="diagonal")
        .group_by("day", "customer_id")
        .agg(total_count("orders"), *map(total, SUMS))
        .select(*contract(AggCustomerDays).columns)
    )


def conserved(gold_fact_sales: nw.LazyFrame, gold_fact_returns: nw.LazyFrame) -> nw.LazyFrame:
    of_all = sold_and_refunded(gold_fact_sales, gold_fact_returns, "customer_id")
    return of_all.filter(~nw.col("customer_id").is_null()).select("day", "gross_sales", "discounts", "returns")


asset = table_asset(AggCustomerDays, transform, conserved=conserved)
