"""What each customer is likely to buy next."""

import datetime as dt

import polars as pl

from ecom_assets.contract import Date, Table, column, frame_of, key
from ecom_assets.days import ONE_DAY, history
from ecom_assets.expressions.known import cut_off_days
from ecom_assets.models.recommendations import Settings, fit, recommend
from ecom_assets.predictions._fits import champion_at, last_fit
from ecom_assets.predictions._purchases import FLOOR, MODELS, history_of, purchases_at
from ecom_assets.table_asset import table_asset

LISTED = 5
RECENT_DAYS = 180


class CustomerRecommendations(
    Table, primary_key=("cut_off", "customer_id", "list", "rank"), partition_column="cut_off"
):
    """One row per Sunday, customer who bought within 180 days, list and place in it.

    Listed by the champion of the last period, from the purchases known on the day. The list `any` may hold what the
    customer has bought before, the list `new` does not.
    """

    cut_off: Date = key("Day at whose end it was predicted")
    customer_id: str = key("Customer number issued by the shop", personal=True)
    list: str = key("Whether it lists any products, or only such as are new to the customer", isin=["any", "new"])
    rank: int = key("Place in the list, from 1", ge=1, le=LISTED)
    product_id: str = column("Product recommended")
    score: float = column("Score by which the list is in order; comparable within a list")
    model: str = column("Model that recommends", isin=MODELS)


def listed(day: dt.date, purchases: pl.DataFrame, models: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """Returns the lists of one day, from the purchases, settings and scores known by then."""
    name, _ = champion_at(day, scores, FLOOR)
    known_fit = last_fit(models, day, name)
    settings = Settings.from_json(known_fit.parameters) if known_fit else None
    end = day + ONE_DAY
    known = fit(purchases, end, settings)
    customers = purchases.filter(pl.col("day") > day - dt.timedelta(RECENT_DAYS))["customer_id"]
    lists = {
        "any": recommend(known, history_of(name, purchases), end, customers, most=LISTED),
        "new": recommend(known, purchases, end, customers, only_new=True, most=LISTED),
    }
    named = (frame.with_columns(list=pl.lit(which)) for which, frame in lists.items())
    return pl.concat(list(named)).with_columns(cut_off=pl.lit(day), model=pl.lit(name))


def transform(
    silver_order_versions: pl.DataFrame,
    silver_order_item_versions: pl.DataFrame,
    features_known_survivors: pl.DataFrame,
    predictions_basket_models: pl.DataFrame,
    predictions_basket_scores: pl.DataFrame,
    days: pl.DataFrame,
) -> pl.DataFrame:
    parts = []
    for day in cut_off_days(days):
        purchases = purchases_at(day, silver_order_versions, silver_order_item_versions, features_known_survivors)
        if purchases.height:
            parts.append(listed(day, purchases, predictions_basket_models, predictions_basket_scores))
    return frame_of(CustomerRecommendations, parts)


OFFERS = """
SELECT *
FROM predictions.customer_recommendations
WHERE cut_off = (SELECT max(cut_off) FROM predictions.customer_recommendations)
"""

asset = table_asset(
    CustomerRecommendations,
    transform,
    view=("predictions.offers", OFFERS),
    reads={
        "silver_order_versions": history,
        "silver_order_item_versions": history,
        "predictions_basket_models": history,
        "predictions_basket_scores": history,
    },
)
