"""Contribution margin per day: net sales less goods, shipping, payment fees and marketing."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, contract, in_units, key, money, rule
from ecom_assets.days import around
from ecom_assets.expressions import measures
from ecom_assets.expressions.money import MONEY, ratio, total
from ecom_assets.table_asset import table_asset

DAYS_TO_LEAVE = 28
"""By then nearly all orders have left the warehouse."""


class DailyMargin(Table, primary_key="day", partition_column="day", amount="contribution_margin"):
    """One row per day with a valid order, a refund or a cost.

    Costs belong to the day on which they arise: goods and shipping to the order day, fees to the payment day, marketing
    to the day on which it was shown. Goods of cancelled orders stay with the shop and cost nothing, though their sales
    count until they are refunded. Returned goods do not reverse their cost. The cost of a shipment is known once it has
    left: a day is provisional for four weeks.
    """

    day: Date = key("Business day")
    net_sales: Decimal = measures.needs_returns(measures.NET_SALES)
    cost_of_goods: Decimal = money(
        "Cost to the shop of the units of valid, not cancelled orders, as far as known", ge=0
    )
    shipping_cost: Decimal = money("Fees of the carriers for the shipments of the day's orders", ge=0)
    payment_fees: Decimal = money("Fees of the payment providers, less those given back")
    marketing: Decimal = money(measures.SPEND, ge=0)
    contribution_margin: Decimal = measures.needs_returns(
        "Net sales less cost of goods, shipping cost, payment fees and marketing; overstated by goods of unknown cost"
    )
    units_of_unknown_cost: Decimal = in_units("Units of these orders whose product has no known cost", ge=0)
    contribution_margin_share: float = measures.needs_returns(
        "Contribution margin per net sales; null if net sales are zero", nullable=True
    )

    @rule
    def margin_adds_up(cls) -> nw.Expr:
        """Net sales less all costs make the contribution margin."""
        costs = nw.col("cost_of_goods") + nw.col("shipping_cost") + nw.col("payment_fees") + nw.col("marketing")
        return nw.col("contribution_margin") == nw.col("net_sales") - costs


COSTS = ["cost_of_goods", "shipping_cost", "payment_fees", "marketing"]


def transform(
    kpi_daily_sales: nw.LazyFrame,
    gold_fact_sales: nw.LazyFrame,
    gold_fact_shipments: nw.LazyFrame,
    kpi_daily_payments: nw.LazyFrame,
    gold_fact_ad_spend: nw.LazyFrame,
    days: nw.LazyFrame,
) -> nw.LazyFrame:
    c = nw.col
    parts = [
        kpi_daily_sales.select("day", "net_sales"),
        gold_fact_sales.filter(c("is_valid"), c("status") != "cancelled").select(
            day="ordered_on",
            cost_of_goods="cost",
            units_of_unknown_cost=nw.when(c("cost").is_null()).then(c("quantity")),
        ),
        gold_fact_shipments.select(day="ordered_on", shipping_cost="cost").join(days, on="day", how="semi"),
        kpi_daily_payments.select("day", payment_fees="fees"),
        gold_fact_ad_spend.select(day="spend_on", marketing="spend"),
    ]
    margin = c("net_sales") - c("cost_of_goods") - c("shipping_cost") - c("payment_fees") - c("marketing")
    return (
        nw.concat(parts, how="diagonal")
        .group_by("day")
        .agg(*map(total, ["net_sales", *COSTS, "units_of_unknown_cost"]))
        .with_columns(contribution_margin=margin.cast(MONEY))
        .with_columns(contribution_margin_share=ratio("contribution_margin", "net_sales"))
        .select(*contract(DailyMargin).columns)
    )


def conserved(
    kpi_daily_sales: nw.LazyFrame, kpi_daily_payments: nw.LazyFrame, gold_fact_ad_spend: nw.LazyFrame
) -> nw.LazyFrame:
    parts = [
        kpi_daily_sales.select("day", "net_sales"),
        kpi_daily_payments.select("day", payment_fees="fees"),
        gold_fact_ad_spend.select(day="spend_on", marketing="spend"),
    ]
    return nw.concat(parts, how="diagonal")


asset = table_asset(
    DailyMargin, transform, reads={"gold_fact_shipments": around(0, DAYS_TO_LEAVE)}, conserved=conserved
)
