"""Predictions are held against what was likely."""

import datetime as dt
from contextlib import nullcontext
from pathlib import Path

import duckdb
import polars as pl
import pytest
from click.testing import CliRunner

from ecom_assets.cli.main import main
from ecom_assets.quality.truth_scores import TruthScore, scored

SUNDAY = dt.date(2024, 3, 3)


def on(n: int) -> dt.date:
    return SUNDAY + dt.timedelta(days=n)


def write(folder: Path, kind: str, day: dt.date, rows: list[dict[str, object]], **types: type) -> None:
    (folder / kind).mkdir(exist_ok=True)
    pl.DataFrame(rows, schema_overrides=types).write_parquet(folder / kind / f"{day}.parquet")


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """Each day A is expected to order twice, and B six times until the tenth day; P sells one unit a day, Q three."""
    for n in range(1, 31):
        write(tmp_path, "days", on(n), [{"day": on(n), "expected_repeats": 8.0, "rates": 4.0}])
        units = [{"product_id": "P", "expected_units": 1.0}, {"product_id": "Q", "expected_units": 3.0}]
        write(tmp_path, "products", on(n), units)
    customers = [
        {"customer_id": name, "rate": rate, "spend": spend, "first_on": SUNDAY, "leaves_on": leaves}
        for name, rate, spend, leaves in (("A", 1.0, 0.0, None), ("B", 3.0, 2.0, on(10)))
    ]
    write(tmp_path, "customers", SUNDAY, customers)
    write(tmp_path, "orders", SUNDAY, [{"order_id": f"O{n}", "is_fraud": n == 0} for n in range(4)])
    return tmp_path


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    for schema in ("predictions", "features", "gold"):
        con.execute(f"create schema {schema}")
    con.execute(f"""
        create table predictions.customer_value as
        select date '{SUNDAY}' as cut_off, 'nbd' as model, 10.0::double as expected_order_value, * from
        (values ('A', 60.0, 1.0), ('B', 54.0, 1.0), ('unknown', 99.0, 1.0))
            t(customer_id, expected_orders_30d, chance_of_order_30d);
        create table features.customer_histories as
        select date '{SUNDAY}' as cut_off, 10.0::double as mean_value, * from
        (values ('A', 10, 10), ('B', 0, 10)) t(customer_id, repeat_orders, age);
        create table gold.fact_sales as
        select date '{SUNDAY}' as ordered_on, * from
        (values ('O1', 'P', 28, 5.0, 0.0), ('O1', 'P', 0, 5.0, 0.0))
            t(order_id, product_id, quantity, gross_sales, discounts);
        create table predictions.demand_forecasts as
        select date '{SUNDAY}' as cut_off, 'demand' as model, product_id, week, units::double as expected_units
        from range(1, 5) weeks(week), (values ('P', 7), ('Q', 22)) t(product_id, units);
        create table predictions.order_risks as
        select date '{SUNDAY}' as known_on, 'rules' as model, * from
        (values ('O0', 0.5, 9.0, 1.0), ('O1', 0.1, 0.0, 5.0), ('O2', 0.1, 0.0, 6.0), ('O3', 0.1, 0.0, 7.0))
            t(order_id, chance, points, amount)""")
    return con


def of(found: list[TruthScore] | None, subject: str, name: str) -> TruthScore:
    [score] = [score for score in found or [] if (score.subject, score.name) == (subject, name)]
    return score


def test_customers_are_compared_with_what_their_rates_make_likely_until_they_leave(con, truth):
    found = scored(con, truth)

    model, past = (of(found, "orders of customers", name) for name in ("nbd", "as in the past"))
    assert (model.count, model.measures["RMSE"], model.measures["bias"]) == (2, 0, 0)
    assert past.measures["bias"] == pytest.approx(30 / 114 - 1)
    value = of(found, "value of customers", "nbd").measures
    assert value["bias"] == pytest.approx(10 * 114 / (5 * (60 * 1 + 54 * (1 + 1 * 2))) - 1), (
        "two lines an order, of 5 each"
    )


def test_demand_and_frauds_are_compared_with_the_truth_beside_what_is_naive(con, truth):
    found = scored(con, truth)

    units = of(found, "units of products", "demand")
    assert (units.count, units.measures["bias"]) == (8, pytest.approx(4 / 112))
    assert of(found, "units of products", "as in the past").measures["bias"] == pytest.approx(28 / 112 - 1)
    assert of(found, "frauds", "rules").measures["AUC"] == 1
    assert of(found, "frauds", "amount alone").measures["AUC"] == 0
    assert of(found, "frauds", "rules").measures["precision at 100 a day"] == 0.25


def test_what_is_not_known_far_enough_is_left_out_and_without_truth_nothing_is_told(con, truth, tmp_path):
    for kind in ("days", "products"):
        (truth / kind / f"{on(30)}.parquet").unlink()

    assert {score.subject for score in scored(con, truth) or []} == {"units of products", "frauds"}
    assert scored(con, tmp_path / "nowhere") is None


def test_the_command_shows_the_scores_or_says_that_a_real_shop_has_no_truth(con, truth, monkeypatch):
    monkeypatch.setattr("ecom_assets.serving.snapshot.open_snapshot", lambda _: nullcontext(con))
    monkeypatch.setenv("ECOM_DATA", str(truth))

    assert "only the synthetic shop records it" in CliRunner().invoke(main, ["predict", "truth"]).output
    folder = truth / "truth"
    folder.mkdir()
    for kind in ("days", "products", "customers", "orders"):
        (truth / kind).rename(folder / kind)
    assert "orders of customers:\n  nbd  " in CliRunner().invoke(main, ["predict", "truth"]).output
