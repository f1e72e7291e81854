"""Purchases of products as known at a cut-off day, and the models that recommend by them."""

import datetime as dt
from dataclasses import replace

import polars as pl

from ecom_assets.models.recommendations import Blend, Settings
from ecom_assets.predictions._sold import sold_at

POPULAR, OWN, BLEND = "popular", "own_purchases", "blend"
MODELS = [BLEND, OWN, POPULAR]
"""What everybody buys lately; what the customer bought, then what is popular; and a blend of both with EASE."""
FLOOR = POPULAR
_OWN = Settings(any_product=Blend(365, 0, 0, 0), new_product=Blend(365, 0, 0, 0))


def settings_of(model: str, chosen: Settings) -> Settings:
    """Returns the settings of a model; those of the blend are chosen."""
    return chosen if model == BLEND else replace(_OWN, ridge=chosen.ridge)


def history_of(model: str, purchases: pl.DataFrame) -> pl.DataFrame:
    """Returns the purchases by which a model tells customers apart: none, if it gives all of them the same list."""
    return purchases.clear() if model == POPULAR else purchases


def purchases_at(cut_off: dt.date, orders: pl.DataFrame, lines: pl.DataFrame, survivors: pl.DataFrame) -> pl.DataFrame:
    """Returns one row per customer, product and day of a purchase that counts, as known at the end of a day.

    Args:
        cut_off: The day.
        orders: Versions of orders, as in `silver.order_versions`.
        lines: Versions of lines, as in `silver.order_item_versions`.
        survivors: Merged customers, as in `features.known_survivors`.
    """
    bought = sold_at(cut_off, orders, lines).filter(pl.col("customer_id").is_not_null())
    return (
        bought.join(survivors.filter(pl.col("cut_off") == cut_off).drop("cut_off"), on="customer_id", how="left")
        .select(pl.coalesce("survivor", "customer_id").alias("customer_id"), "product_id", "day", weight=pl.lit(1.0))
        .unique()
        .sort("customer_id", "product_id", "day")
    )
