"""Models of demand, fitted at the end of each period of four weeks."""

import datetime as dt
import json

import polars as pl

from ecom_assets.contract import Date, Table, column, frame_of, key
from ecom_assets.days import history
from ecom_assets.models import demand
from ecom_assets.models.demand_scores import AHEAD, MODEL, HoldOut, best_constants
from ecom_assets.predictions._curves import by_fit
from ecom_assets.predictions._demand import MODELS, WEEK, known_at
from ecom_assets.predictions._fits import digest, is_period_end
from ecom_assets.table_asset import table_asset


class DemandModels(Table, primary_key=("cut_off", "model"), partition_column="cut_off"):
    """One row per end of a period of four weeks and model of the units that products are going to sell.

    The model is `demand`; the others are its floors, simple methods whose constant is the best for the four weeks
    before the day, or the first of those tried in a shop that is younger.
    """

    cut_off: Date = key("Last day of the period")
    model: str = key("Name of the model", isin=MODELS)
    parameters: str = column("Its parameters, as JSON")
    products: int = column("Products that were known", ge=0)
    trained_on: str = column("Fingerprint of the sales to which it was fitted")


def fitted(day: dt.date, sales: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """Returns the models of one day."""
    start = day - dt.timedelta(days=AHEAD * WEEK)
    has_hold_out = sales.filter(pl.col("day") <= start).height > 0
    constants = best_constants([HoldOut.of(sales, products, start)] if has_hold_out else [])
    parameters = {MODEL: demand.fit(sales, products, day).to_json()}
    parameters |= {name: json.dumps({"constant": constant}) for name, constant in constants.items()}
    return pl.DataFrame(
        {
            "cut_off": day,
            "model": MODELS,
            "parameters": [parameters[model] for model in MODELS],
            "products": products.height,
            "trained_on": digest(sales),
        },
        schema_overrides={"cut_off": pl.Date, "products": pl.Int64},
    )


def transform(
    silver_order_versions: pl.DataFrame,
    silver_order_item_versions: pl.DataFrame,
    silver_movement_versions: pl.DataFrame,
    silver_product_versions: pl.DataFrame,
    days: pl.DataFrame,
) -> pl.DataFrame:
    parts = []
    known = known_at(
        filter(is_period_end, days["day"].sort()),
        silver_order_versions,
        silver_order_item_versions,
        silver_movement_versions,
        silver_product_versions,
    )
    for day, sales, products in known:
        if sales.height:
            parts.append(fitted(day, sales, products))
    return frame_of(DemandModels, parts)


asset = table_asset(
    DemandModels,
    transform,
    reads={
        "silver_order_versions": history,
        "silver_order_item_versions": history,
        "silver_movement_versions": history,
        "silver_product_versions": history,
    },
    plots=(by_fit("products", "predictions.demand_models", "products"),),
)
