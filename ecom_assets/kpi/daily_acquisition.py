"""Cost and revenue of marketing as a whole, per day, with checks that attribution loses nothing."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.expressions import measures
from ecom_assets.expressions.money import no_amount, ratio, total, total_count
from ecom_assets.kpi._attribution import MODELS
from ecom_assets.table_asset import table_asset


class DailyAcquisition(Table, primary_key="day", partition_column="day", amount="revenue"):
    """One row per day with spend or a valid order. An attribution model without rows has attributed nothing."""

    day: Date = key("Business day")
    orders: int = column(measures.VALID_ORDERS, ge=0)
    revenue: Decimal = money(measures.REVENUE)
    spend: Decimal = money(measures.SPEND, ge=0)
    new_customers: int = column("Customers with their first valid order on the day", ge=0)
    cac: float = column(measures.CAC, nullable=True, ge=0)
    mer: float = column("Marketing efficiency ratio: revenue per spend; null without spend", nullable=True)
    reported_spend: Decimal = money("Cost of advertising in the accepted reports", ge=0)
    least_attributed: Decimal = money("Revenue attributed to channels by the model that attributes least")
    most_attributed: Decimal = money("Revenue attributed to channels by the model that attributes most")
    least_attributed_orders: Decimal = money("Orders attributed to channels by the model that attributes least", ge=0)
    most_attributed_orders: Decimal = money("Orders attributed to channels by the model that attributes most", ge=0)

    @rule
    def spend_is_what_was_reported(cls) -> nw.Expr:
        """The spend of all channels and campaigns is what was reported."""
        return nw.col("spend") == nw.col("reported_spend")

    @rule
    def credits_make_the_revenue(cls) -> nw.Expr:
        """By each model, the revenue of all channels and campaigns is the revenue of the orders."""
        revenue = nw.col("revenue")
        return (nw.col("least_attributed") == revenue) & (nw.col("most_attributed") == revenue)

    @rule
    def credits_make_the_orders(cls) -> nw.Expr:
        """By each model, the parts of orders of all channels and campaigns are as many as the orders."""
        orders = nw.col("orders")
        return (nw.col("least_attributed_orders") == orders) & (nw.col("most_attributed_orders") == orders)


AMOUNTS = ["revenue", "spend", "reported_spend"]
COUNTS = ["orders", "new_customers"]
ATTRIBUTED = {"revenue": "attributed", "orders": "attributed_orders"}


def attributed(attribution: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the least and the most that a model attributes on each day; zero for a model without rows."""
    c = nw.col
    nothing = {part: no_amount() for part in ATTRIBUTED}
    models = [days.select("day", model=nw.lit(model), **nothing) for model in MODELS]
    by_model = (
        nw.concat([attribution.select("day", "model", *ATTRIBUTED), *models])
        .group_by("day", "model")
        .agg(*map(total, ATTRIBUTED))
    )
    return by_model.group_by("day").agg(
        *(c(part).min().alias(f"least_{name}") for part, name in ATTRIBUTED.items()),
        *(c(part).max().alias(f"most_{name}") for part, name in ATTRIBUTED.items()),
    )


def transform(
    silver_ad_spend: nw.LazyFrame,
    gold_fact_sales: nw.LazyFrame,
    gold_agg_customer_metrics: nw.LazyFrame,
    kpi_attribution: nw.LazyFrame,
    kpi_daily_marketing: nw.LazyFrame,
    days: nw.LazyFrame,
) -> nw.LazyFrame:
    c = nw.col
    sums = nw.concat(
        [
            gold_fact_sales.filter(c("is_valid")).select(
                day="ordered_on", revenue="net_amount", orders=c("is_first_line").cast(nw.Int64)
            ),
            kpi_daily_marketing.select("day", "spend"),
            silver_ad_spend.select(day="shown_on", reported_spend="spend"),
            gold_agg_customer_metrics.filter(c("new_orders") > 0).select("day", new_customers="new_orders"),
        ],
        how="diagonal",
    )
    return (
        sums.group_by("day")
        .agg(*map(total, AMOUNTS), *map(total_count, COUNTS))
        .join(attributed(kpi_attribution, days), on="day")
        .with_columns(cac=measures.cac(), mer=ratio("revenue", "spend"))
        .select(*contract(DailyAcquisition).columns)
    )


asset = table_asset(DailyAcquisition, transform)
