"""Preference of customers for categories, from views, cart additions and purchases of the last 90 days."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, in_units, key
from ecom_assets.days import trailing
from ecom_assets.expressions.dates import days_between
from ecom_assets.expressions.money import QUANTITY, ratio, total
from ecom_assets.table_asset import table_asset

TRAILING_DAYS = 90
WEIGHTS = {"views": 1, "cart_additions": 3, "units_purchased": 5}
"""Weight of each interaction. A judgement, not a measurement."""


class CategoryAffinity(Table, primary_key=("day", "customer_id", "category"), partition_column="day"):
    """One row per day, customer who did something with a product on it, and category of the last 90 days.

    Rows hold at the end of the day. On a day without rows the affinities may differ from those of the customer's latest
    earlier day, because days have left the 90. Compute them from `features.customer_product_interactions` of the 90
    days up to the day; there are none once the latest day is 90 days ago.
    """

    day: Date = key("Business day")
    customer_id: str = key("Customer number issued by the shop", personal=True)
    category: str = key("Category in the catalogue; unknown if the product had none")
    score: Decimal = in_units(
        "Views plus three times cart additions plus five times units bought, later voided or not, in 90 days",
        gt=0,
    )
    affinity: float = column("Share of the category in the customer's scores of the day", gt=0, le=1)


def transform(features_customer_product_interactions: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    interactions = features_customer_product_interactions
    active = interactions.join(days, on="day", how="semi").select("day", "customer_id").unique()
    weighed = interactions.select(
        "customer_id",
        "category",
        interacted_on="day",
        score=nw.sum_horizontal(*(c(name).cast(QUANTITY) * weight for name, weight in WEIGHTS.items())).cast(QUANTITY),
    )
    return (
        weighed.join(active, on="customer_id")
        .filter(days_between(c("interacted_on"), c("day")).is_between(0, TRAILING_DAYS - 1))
        .group_by("day", "customer_id", "category")
        .agg(total("score"))
        .with_columns(all_scores=c("score").sum().over("day", "customer_id").cast(QUANTITY))
        .with_columns(affinity=ratio("score", "all_scores"))
        .select(*contract(CategoryAffinity).columns)
    )


asset = table_asset(
    CategoryAffinity, transform, reads={"features_customer_product_interactions": trailing(TRAILING_DAYS)}
)
