"""Which products are bought with which."""

import polars as pl

from ecom_assets.contract import Date, Table, column, frame_of, key
from ecom_assets.days import ONE_DAY, history
from ecom_assets.expressions.known import cut_off_days
from ecom_assets.models.recommendations import Settings, bought_with, fit
from ecom_assets.predictions._fits import last_fit
from ecom_assets.predictions._purchases import BLEND, purchases_at
from ecom_assets.table_asset import table_asset

LISTED = 10


class ProductRecommendations(Table, primary_key=("cut_off", "product_id", "rank"), partition_column="cut_off"):
    """One row per Sunday, product that was bought by then, and place among those bought with it.

    By EASE (Steck 2019), from the purchases known on the day. A product that nobody bought with another has no rows.
    """

    cut_off: Date = key("Day at whose end it was predicted")
    product_id: str = key("Stock code; codes are case-sensitive")
    rank: int = key("Place in the list, from 1", ge=1, le=LISTED)
    other_product_id: str = column("Product that is bought with it")
    score: float = column("Score by which the list is in order; comparable within a list", gt=0)


def transform(
    silver_order_versions: pl.DataFrame,
    silver_order_item_versions: pl.DataFrame,
    features_known_survivors: pl.DataFrame,
    predictions_basket_models: pl.DataFrame,
    days: pl.DataFrame,
) -> pl.DataFrame:
    parts = []
    for day in cut_off_days(days):
        purchases = purchases_at(day, silver_order_versions, silver_order_item_versions, features_known_survivors)
        if purchases.is_empty():
            continue
        known_fit = last_fit(predictions_basket_models, day, BLEND)
        settings = Settings.from_json(known_fit.parameters) if known_fit else None
        lists = bought_with(fit(purchases, day + ONE_DAY, settings), LISTED)
        parts.append(lists.with_columns(cut_off=pl.lit(day)))
    return frame_of(ProductRecommendations, parts)


asset = table_asset(
    ProductRecommendations,
    transform,
    reads={
        "silver_order_versions": history,
        "silver_order_item_versions": history,
        "predictions_basket_models": history,
    },
)
