"""Models of the next purchase: their settings, chosen at the end of each period of four weeks."""

import datetime as dt

import polars as pl

from ecom_assets.contract import Date, Table, column, frame_of, key
from ecom_assets.days import ONE_DAY, history
from ecom_assets.models.recommendations import choose
from ecom_assets.predictions._curves import by_fit
from ecom_assets.predictions._fits import digest, is_period_end
from ecom_assets.predictions._purchases import MODELS, purchases_at, settings_of
from ecom_assets.table_asset import table_asset


class BasketModels(Table, primary_key=("cut_off", "model"), partition_column="cut_off"):
    """One row per end of a period of four weeks and model of what customers buy next.

    The floors are `popular` (what all buy lately) and `own_purchases` (what the customer bought before, then what is
    popular). `blend` weighs both and what is bought by those who bought the same; its weights are chosen on the 28 days
    before, learnt before these.
    """

    cut_off: Date = key("Last day of the period")
    model: str = key("Name of the model", isin=MODELS)
    parameters: str = column("Weights of its parts, as JSON")
    customers: int = column("Customers who had bought by then", ge=0)
    products: int = column("Products that had been bought by then", ge=0)
    trained_on: str = column("Fingerprint of the purchases on which the weights were chosen")


def fitted(day: dt.date, purchases: pl.DataFrame) -> pl.DataFrame:
    """Returns the models of one day."""
    chosen = choose(purchases, day + ONE_DAY)
    return pl.DataFrame(
        {
            "cut_off": day,
            "model": MODELS,
            "parameters": [settings_of(model, chosen).to_json() for model in MODELS],
            "customers": purchases["customer_id"].n_unique(),
            "products": purchases["product_id"].n_unique(),
            "trained_on": digest(purchases),
        },
        schema_overrides={"cut_off": pl.Date, "customers": pl.Int64, "products": pl.Int64},
    )


def transform(
    silver_order_versions: pl.DataFrame,
    silver_order_item_versions: pl.DataFrame,
    features_known_survivors: pl.DataFrame,
    days: pl.DataFrame,
) -> pl.DataFrame:
    parts = []
    for day in filter(is_period_end, days["day"].sort()):
        purchases = purchases_at(day, silver_order_versions, silver_order_item_versions, features_known_survivors)
        if purchases.height:
            parts.append(fitted(day, purchases))
    return frame_of(BasketModels, parts)


asset = table_asset(
    BasketModels,
    transform,
    reads={"silver_order_versions": history, "silver_order_item_versions": history},
    plots=(by_fit("customers", "predictions.basket_models", "customers"),),
)
