"""Orders as known at a day, with what tells of fraud, and the models of it."""

import datetime as dt
from typing import NamedTuple

import polars as pl

from ecom_assets.expressions.known import versions_at
from ecom_assets.models import fraud

MODEL, RULES, AMOUNT = "logistic_regression", "rules", "amount"
MODELS = [AMOUNT, MODEL, RULES]
"""A calibrated score; and the floors: points of rules, and the amount alone, which says no probability."""
FLOOR = RULES
YEAR = 365
"""Days of orders that count."""


class Orders(NamedTuple):
    """Orders as known at the end of a day, one row each and in order of their numbers."""

    rows: pl.DataFrame
    """Columns: `order_id`, `customer_id`, `ordered_on`, `ordered_at`, `amount` and `arrived_on`, of the version."""
    features: pl.DataFrame
    labels: pl.DataFrame


def concerning(of: pl.DataFrame, *versions: pl.DataFrame) -> list[pl.DataFrame]:
    """Returns, of versions of orders, lines, payments and customers, those that the features of some orders need.

    That is what the customers of these orders did, and guests since a day before. `of` has their `order_id`.
    """
    c, (orders, lines, payments, customers) = pl.col, versions
    named = orders.join(of, on="order_id", how="semi")
    people = named.select(c("customer_id").drop_nulls().unique())
    earliest = named["ordered_at"].min()
    guests = orders.filter(c("customer_id").is_null(), c("ordered_at") >= pl.lit(earliest) - dt.timedelta(days=1))
    needed = pl.concat(
        part.select("order_id") for part in (named, orders.join(people, on="customer_id", how="semi"), guests)
    ).unique()
    of_orders = (part.join(needed, on="order_id", how="semi") for part in (orders, lines, payments))
    return [*of_orders, customers.join(people, on="customer_id", how="semi")]


def orders_at(
    day: dt.date, orders: pl.DataFrame, lines: pl.DataFrame, payments: pl.DataFrame, customers: pl.DataFrame
) -> Orders:
    """Returns the orders of the year up to a day, from versions of orders, lines, payments and customers."""
    c, since = pl.col, day - dt.timedelta(days=YEAR)
    orders, lines, payments = (of.filter(c("arrived_on") >= since) for of in (orders, lines, payments))
    units = (
        versions_at(day, lines, "order_id", "line_number", order=("updated_at",))
        .filter(~c("is_retracted"), c("quantity") > 0)
        .group_by("order_id")
        .agg(units=c("quantity").sum().cast(pl.Float64), lines=(c("quantity") * c("unit_price")).sum())
    )
    amount = pl.coalesce("total", c("lines") - c("discount") + c("shipping") + c("tax"))
    rows = (
        versions_at(day, orders, "order_id", order=("updated_at",))
        .filter(~c("is_retracted"), c("ordered_on").is_between(since, day, closed="right"))
        .join(units, on="order_id", how="left")
        .with_columns(amount=amount.cast(pl.Float64).fill_null(0.0), is_express=pl.lit(None, pl.Boolean))
        .sort("order_id")
    )
    paid = versions_at(day, payments, "payment_id", order=("updated_at",)).filter(~c("is_retracted"))
    paid = paid.filter(c("order_id").is_not_null()).sort("payment_id")
    profiles = versions_at(day, customers, "customer_id", "changed_at").sort("customer_id", "changed_at")
    known = profiles.group_by("customer_id", maintain_order=True).agg(
        c("country").last(), registered_at=pl.coalesce(c("registered_at").drop_nulls().first(), c("changed_at").first())
    )
    return Orders(
        rows.select("order_id", "customer_id", "ordered_on", "ordered_at", "amount", "arrived_on"),
        fraud.features(rows, paid, known),
        fraud.labels(rows, paid),
    )


def without_amount(scores: pl.DataFrame) -> pl.DataFrame:
    """Returns the scores of models that say a probability: of these one is the champion."""
    return scores.filter(pl.col("model") != AMOUNT)
