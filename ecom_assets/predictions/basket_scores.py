"""Scores of the models of the next purchase: what they listed for the four weeks that have ended."""

import datetime as dt

import polars as pl

from ecom_assets.contract import Date, Table, column, frame_of, key
from ecom_assets.days import ONE_DAY, history, trailing
from ecom_assets.expressions.known import PERIOD
from ecom_assets.models.evaluation import coverage, of_lists
from ecom_assets.models.recommendations import LISTED, Settings, fit, recommend
from ecom_assets.predictions._curves import as_text, by_period, of_last_period, points
from ecom_assets.predictions._fits import beaten, is_period_end, last_period_end
from ecom_assets.predictions._purchases import MODELS, history_of, purchases_at
from ecom_assets.table_asset import Plot, table_asset

LENGTHS = (1, 2, 5, 10, LISTED)
"""Of lists, whose hits are told."""


class BasketScores(Table, primary_key=("period_end", "model"), partition_column="period_end"):
    """One row per period of four weeks and model of its start, for customers known then who bought in the period.

    Lists of 20 products are compared with the products that they bought, as known at its end: of all
    products, and of those that are new to the customer.
    """

    period_end: Date = key("Last day of the period")
    model: str = key("Name of the model", isin=MODELS)
    customers: int = column("Customers known at its start who bought in the period", ge=0)
    repeat_share: float = column("Share of what they bought that they had bought before", ge=0, le=1)
    ndcg: float = column("NDCG of lists of any products (Järvelin, Kekäläinen 2002)", ge=0, le=1)
    recall: float = column("Share of the products bought that are in the list", ge=0, le=1)
    by_length: str = column("Precision and recall of the first products of these lists, as JSON")
    new_ndcg: float = column(
        "NDCG of lists of products that are new to the customer; 0 if nobody bought one", ge=0, le=1
    )
    new_recall: float = column("Share of the new products bought that are in that list", ge=0, le=1)
    new_coverage: float = column("Share of all products that are in any of these lists", ge=0, le=1)
    beats: str = column("Models with a smaller NDCG at 95 % by a paired bootstrap, separated by semicolons")


def scored(day: dt.date, models: pl.DataFrame, before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Returns the scores of a period's models, from the purchases known at its start and at its end."""
    start = last_period_end(day) + ONE_DAY
    came = after.filter(pl.col("day") >= start).select("customer_id", "product_id").unique()
    came = came.join(before, on="customer_id", how="semi").sort("customer_id", "product_id")
    new = came.join(before, on=["customer_id", "product_id"], how="anti")
    rows, gains = [], {}
    for model, parameters in models.iter_rows():
        known = fit(before, start, Settings.from_json(parameters))
        own, customers = history_of(model, before), came["customer_id"]
        lists = recommend(known, own, start, customers, most=LISTED)
        new_lists = recommend(known, before, start, new["customer_id"], only_new=True, most=LISTED)
        of_all, of_new = of_lists(lists, came, "customer_id", LISTED), of_lists(new_lists, new, "customer_id", LISTED)
        gains[model] = of_all["ndcg"].to_numpy()
        rows.append(
            {
                "period_end": day,
                "model": model,
                "customers": of_all.height,
                "repeat_share": 1 - new.height / came.height,
                "ndcg": of_all["ndcg"].mean(),
                "recall": of_all["recall"].mean(),
                "by_length": as_text(_by_length(lists, came)),
                "new_ndcg": of_new["ndcg"].mean() or 0.0,
                "new_recall": of_new["recall"].mean() or 0.0,
                "new_coverage": coverage(new_lists, len(known.products), LISTED),
            }
        )
    losses = {model: -gain for model, gain in gains.items()}
    return pl.DataFrame([{**row, "beats": beaten(str(row["model"]), losses)} for row in rows])


def _by_length(lists: pl.DataFrame, came: pl.DataFrame) -> pl.DataFrame:
    """Returns `length` of lists, and the mean share of their products that were bought, and of what was bought."""
    hits = lists.join(came, on=["customer_id", "product_id"], how="semi")
    wanted, customers = came.group_by("customer_id").agg(wanted=pl.len()), came["customer_id"].n_unique()
    rows = []
    for length in LENGTHS:
        found = hits.filter(pl.col("rank") <= length).group_by("customer_id").agg(hits=pl.len())
        shares = found.join(wanted, on="customer_id").select(pl.col("hits") / pl.col("wanted")).to_series()
        precision, recall = found["hits"].sum() / (length * customers), shares.sum() / customers
        rows.append({"length": length, "precision": precision, "recall": recall})
    return pl.DataFrame(rows)


def transform(
    silver_order_versions: pl.DataFrame,
    silver_order_item_versions: pl.DataFrame,
    features_known_survivors: pl.DataFrame,
    predictions_basket_models: pl.DataFrame,
    days: pl.DataFrame,
) -> pl.DataFrame:
    parts = []
    for day in filter(is_period_end, days["day"].sort()):
        start = last_period_end(day)
        models = predictions_basket_models.filter(pl.col("cut_off") == start).select("model", "parameters")
        if models.is_empty():
            continue
        before, after = (
            purchases_at(at, silver_order_versions, silver_order_item_versions, features_known_survivors)
            for at in (start, day)
        )
        came = after.filter(pl.col("day") > start).join(before, on="customer_id", how="semi")
        if came.height:
            parts.append(scored(day, models.sort("model"), before, after))
    return frame_of(BasketScores, parts)


BY_LENGTH = points(
    "predictions.basket_scores", "by_length", {"length": "BIGINT", "precision": "DOUBLE", "recall": "DOUBLE"}
)

asset = table_asset(
    BasketScores,
    transform,
    reads={
        "silver_order_versions": history,
        "silver_order_item_versions": history,
        "features_known_survivors": trailing(PERIOD + 1),
        "predictions_basket_models": trailing(PERIOD + 1),
    },
    view=("predictions.lists_by_length", BY_LENGTH),
    plots=(
        Plot(
            "precision and recall of lists of 1 to 20 products",
            "recall",
            "precision",
            of_last_period(BY_LENGTH, "recall", "precision"),
        ),
        by_period("lists", "NDCG", "predictions.basket_scores", "ndcg"),
        by_period("lists of new products", "NDCG", "predictions.basket_scores", "new_ndcg"),
    ),
)
