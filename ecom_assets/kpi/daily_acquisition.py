"""What marketing as a whole costs and brings on a day, and proof that none of it got lost on the way."""

import narwhals as nw

from ecom_assets import measures
from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.money import no_amount, ratio, total, total_count
from ecom_assets.table_asset import table_asset


class DailyAcquisition(Table, primary_key="day", partition_column="day", amount="revenue"):
    """One row per day with spend or a valid order."""

    day: Date = key("Business day")
    revenue: Decimal = money(measures.REVENUE)
    spend: Decimal = money(measures.SPEND, ge=0)
    new_customers: int = column("Customers with their first valid order on the day", ge=0)
    cac: float = column(measures.CAC, nullable=True, ge=0)
    mer: float = column("Marketing efficiency ratio: revenue per spend; null without spend", nullable=True)
    reported_spend: Decimal = money("What advertising cost, as the accepted reports say", ge=0)
    least_attributed: Decimal = money("Revenue that falls to channels by the model that shares least")
    most_attributed: Decimal = money("Revenue that falls to channels by the model that shares most")

    @rule
    def spend_is_what_was_reported(cls) -> nw.Expr:
        """The spend of all channels and campaigns is what was reported."""
        return nw.col("spend") == nw.col("reported_spend")

    @rule
    def credits_make_the_revenue(cls) -> nw.Expr:
        """By each model, the revenue of all channels and campaigns is the revenue of the orders."""
        revenue = nw.col("revenue")
        return (nw.col("least_attributed") == revenue) & (nw.col("most_attributed") == revenue)


AMOUNTS = ["revenue", "spend", "reported_spend"]
ATTRIBUTED = ["least_attributed", "most_attributed"]


def transform(
    silver_ad_spend: nw.LazyFrame,
    gold_fact_sales: nw.LazyFrame,
    gold_agg_customer_metrics: nw.LazyFrame,
    kpi_attribution: nw.LazyFrame,
    kpi_daily_marketing: nw.LazyFrame,
) -> nw.LazyFrame:
    c = nw.col
    sums = nw.concat(
        [
            gold_fact_sales.filter(c("is_valid")).select(day="ordered_on", revenue="net_amount"),
            kpi_daily_marketing.select("day", "spend"),
            silver_ad_spend.select(day="shown_on", reported_spend="spend"),
            gold_agg_customer_metrics.select("day", new_customers="new_orders"),
        ],
        how="diagonal",
    )
    by_model = kpi_attribution.group_by("day", "model").agg(total("revenue"))
    attributed = by_model.group_by("day").agg(
        c("revenue").min().alias("least_attributed"), c("revenue").max().alias("most_attributed")
    )
    return (
        sums.group_by("day")
        .agg(*map(total, AMOUNTS), total_count("new_customers"))
        .join(attributed, on="day", how="left")
        .with_columns(nw.coalesce(c(name), no_amount()).alias(name) for name in ATTRIBUTED)
        .with_columns(cac=ratio("spend", "new_customers"), mer=ratio("revenue", "spend"))
        .select(*contract(DailyAcquisition).columns)
    )


asset = table_asset(DailyAcquisition, transform)
