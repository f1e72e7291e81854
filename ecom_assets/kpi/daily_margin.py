"""What a day contributes once goods, shipping, payments and marketing are paid for."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.days import around
from ecom_assets.expressions import measures
from ecom_assets.expressions.money import MONEY, ratio, total, total_count
from ecom_assets.table_asset import table_asset

DAYS_TO_LEAVE = 28
"""By then nearly all that was ordered has left the warehouse."""


class DailyMargin(Table, primary_key="day", partition_column="day", amount="contribution_margin"):
    """One row per day with a valid order, a refund or a cost.

    Costs are those of the day on which they arise: goods and shipping on the order day, fees on the payment day,
    marketing on the day on which it was shown. Goods of cancelled orders stay with the shop and cost it nothing, though
    their sales stand until they are refunded. Goods that come back do not bring their cost back. What a shipment costs
    is known once it has left: a day is provisional for four weeks.
    """

    day: Date = key("Business day")
    net_sales: Decimal = money(measures.NET_SALES)
    cost_of_goods: Decimal = money(
        "What the units of valid orders not cancelled cost the shop, where it is known", ge=0
    )
    shipping_cost: Decimal = money("What the carriers charge for the shipments of the day's orders", ge=0)
    payment_fees: Decimal = money("What the payment providers charge", ge=0)
    marketing: Decimal = money(measures.SPEND, ge=0)
    contribution_margin: Decimal = money(
        "Net sales less cost of goods, shipping cost, payment fees and marketing; too high by the goods of unknown cost"
    )
    units_of_unknown_cost: int = column("Units of these orders whose product has no known cost", ge=0)
    contribution_margin_share: float = column(
        "Contribution margin per net sales; null where these are zero", nullable=True
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
        .agg(*map(total, ["net_sales", *COSTS]), total_count("units_of_unknown_cost"))
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
