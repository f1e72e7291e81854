"""How far predictions are right by the truth of the synthetic shop, beside naive ones.

What came is one draw of what was likely; the truth says what was likely. Predictions of the last 30 days for which it
is known are compared with it:

- customers: a customer of rate r who has bought and not left is expected to place r by the sum of all such rates of a
  day's repeat orders. The expected value is that of the orders by the customer's true number of lines per order, at the
  shop's mean value of a line.
- demand: the units of each product that were expected to be sold, also where stock was out.
- fraud: which orders are frauds, also those that nobody has reported.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from ecom_assets.models import evaluation
from ecom_assets.models.fitting import Floats
from ecom_assets.models.fraud import REVIEWED, places, recall
from ecom_assets.sql import day_literal, literal

NO_TRUTH = "What is likely is not known here: only the synthetic shop records it, in truth/."
AHEAD = 30
"""Days of orders that are compared."""
WEEKS = 4


@dataclass(frozen=True)
class TruthScore:
    """How one way to predict did on a subject."""

    subject: str
    name: str
    """The model, or what is naive."""
    count: int
    """Customers, products by weeks, or orders that are scored."""
    measures: Mapping[str, float]


def scored(con: duckdb.DuckDBPyConnection, truth: Path) -> list[TruthScore] | None:
    """Returns the scores of a snapshot's predictions; None if the truth records no day.

    A subject is left out if nothing was predicted for days of which the truth is known.
    """
    if not any((truth / "days").glob("*.parquet")):
        return None
    return [*_customers(con, truth), *_demand(con, truth), *_frauds(con, truth)]


def _files(truth: Path, kind: str) -> str:
    """Returns SQL for the rows of a kind of truth; `filename` ends with the day."""
    return f"read_parquet({literal(str(truth / kind / '*.parquet'))}, filename = true)"


def _last_cut_off(con: duckdb.DuckDBPyConnection, truth: Path, table: str, ahead: int) -> dt.date | None:
    """Returns the last cut-off of a table's rows after which the truth of so many days is known."""
    query = f"""
        select max(cut_off) from {table}
        where cut_off + {ahead} <= (select max(day) from {_files(truth, "days")})"""
    [(found,)] = con.execute(query).fetchall()
    return found if found is None else dt.date.fromisoformat(str(found)[:10])


def _customers(con: duckdb.DuckDBPyConnection, truth: Path) -> list[TruthScore]:
    cut_off = _last_cut_off(con, truth, "predictions.customer_value", AHEAD)
    if cut_off is None:
        return []
    known = con.execute(f"""
        with ahead as (
            select day, expected_repeats / rates as orders from {_files(truth, "days")}
            where day > {day_literal(cut_off)} and day <= {day_literal(cut_off)} + {AHEAD}),
        expected as (
            select customer_id, any_value(spend) as spend, sum(rate * orders) as orders
            from {_files(truth, "customers")} join ahead on first_on < day and (leaves_on is null or leaves_on > day)
            group by customer_id),
        lines as (
            select sum(gross_sales - discounts) / count(*) as value, count(*) / count(distinct order_id) as per_order
            from gold.fact_sales where ordered_on <= {day_literal(cut_off)})
        select expected_orders_30d, chance_of_order_30d, expected_order_value, predictions.customer_value.model,
            repeat_orders / greatest(age, 1) * {AHEAD} as in_past,
            sum(repeat_orders) over () / greatest(sum(age) over (), 1) * {AHEAD} as alike,
            avg(mean_value) over () as usual_value, mean_value,
            coalesce(expected.orders, 0) as orders,
            coalesce(expected.orders * (1 + (per_order - 1) * expected.spend) * lines.value, 0)::double as value
        from predictions.customer_value
        join features.customer_histories using (cut_off, customer_id)
        semi join {_files(truth, "customers")} as drawn using (customer_id)
        left join expected using (customer_id), lines
        where cut_off = {day_literal(cut_off)}
        order by customer_id""").pl()
    if known.is_empty():
        return []
    numbers = {name: known[name].cast(pl.Float64).to_numpy() for name in known.columns if name != "model"}
    ways = {
        str(known["model"][0]): (numbers["expected_orders_30d"], numbers["expected_order_value"]),
        "as in the past": (numbers["in_past"], numbers["mean_value"]),
        "all alike": (numbers["alike"], numbers["usual_value"]),
    }
    chances = {name: -np.expm1(-orders) for name, (orders, _) in ways.items()} | {
        str(known["model"][0]): numbers["chance_of_order_30d"]
    }
    chance = -np.expm1(-numbers["orders"])
    values = {name: orders * value for name, (orders, value) in ways.items()}
    subjects = {
        "orders of customers": ({name: orders for name, (orders, _) in ways.items()}, numbers["orders"]),
        "chance of an order": (chances, chance),
        "value of customers": (values, numbers["value"]),
    }
    return [
        TruthScore(subject, name, known.height, _errors(predicted[name], true))
        for subject, (predicted, true) in subjects.items()
        for name in ways
    ]


def _demand(con: duckdb.DuckDBPyConnection, truth: Path) -> list[TruthScore]:
    cut_off = _last_cut_off(con, truth, "predictions.demand_forecasts", 7 * WEEKS)
    if cut_off is None:
        return []
    known = con.execute(f"""
        with expected as (
            select product_id, (day - {day_literal(cut_off)} + 6) // 7 as week, sum(expected_units) as units
            from (
                select product_id, expected_units, regexp_extract(filename, '([-0-9]+)[.]parquet', 1)::date as day
                from {_files(truth, "products")})
            where day > {day_literal(cut_off)} and day <= {day_literal(cut_off)} + {7 * WEEKS} group by all),
        sold as (
            select product_id, sum(quantity)::double / {WEEKS} as units from gold.fact_sales
            where ordered_on > {day_literal(cut_off)} - {7 * WEEKS} and ordered_on <= {day_literal(cut_off)}
            group by product_id)
        select expected_units, model, coalesce(sold.units, 0) as naive, expected.units as units
        from predictions.demand_forecasts join expected using (product_id, week) left join sold using (product_id)
        where cut_off = {day_literal(cut_off)} order by product_id, week""").pl()
    if known.is_empty():
        return []
    units = known["units"].to_numpy()
    ways = {str(known["model"][0]): known["expected_units"], "as in the past": known["naive"]}
    return [
        TruthScore("units of products", name, known.height, _errors(of.cast(pl.Float64).to_numpy(), units))
        for name, of in ways.items()
    ]


def _frauds(con: duckdb.DuckDBPyConnection, truth: Path) -> list[TruthScore]:
    known = con.execute(f"""
        select known_on, order_id, is_fraud, chance, points, amount, model
        from predictions.order_risks join {_files(truth, "orders")} using (order_id)
        order by known_on, order_id""").pl()
    is_fraud = known["is_fraud"].to_numpy().astype(bool)
    if is_fraud.all() or not is_fraud.any():
        return []
    found = []
    models = ", ".join(sorted(known["model"].unique()))
    for name, column in ((models, "chance"), ("points of rules", "points"), ("amount alone", "amount")):
        scores = known[column].cast(pl.Float64).to_numpy()
        review = places(known["known_on"], known["order_id"], scores) <= REVIEWED
        measures = {
            "AUC": evaluation.auc(scores, is_fraud),
            "recall at 1 %": recall(scores, is_fraud),
            f"precision at {REVIEWED} a day": float(is_fraud[review].mean()),
        }
        if column == "chance":
            actual = is_fraud.astype(np.float64)
            measures["calibration error"] = evaluation.expected_calibration_error(scores, actual)
        found.append(TruthScore("frauds", name, known.height, measures))
    return found


def _errors(predicted: Floats, true: Floats) -> dict[str, float]:
    return {
        "RMSE": evaluation.rmse(predicted, true),
        "bias": evaluation.bias(predicted, true),
        "correlation": evaluation.correlation(predicted, true),
    }


def scores_table(found: list[TruthScore]) -> str:
    """Returns the scores as a Markdown table."""
    lines = [
        f"| {score.subject} | {score.name} | {score.count:,} | "
        + ", ".join(f"{name} {value:.4g}" for name, value in score.measures.items())
        + " |"
        for score in found
    ]
    return "\n".join(["| subject | by | scored | measures |", "| --- | --- | --: | --- |", *lines])
