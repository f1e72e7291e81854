from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest

from ecom_assets.models.evaluation import auc, expected_calibration_error
from ecom_assets.models.fraud import (
    FEATURES,
    FEWEST,
    FraudModel,
    features,
    fit,
    known_share,
    labels,
    of_points,
    predict,
    reasons,
    rules,
)
from ecom_assets.shop.scale import Scale
from ecom_assets.shop.shop import Shop

NOON = datetime.fromisoformat("2024-05-01T12:00:00")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ORDERS = {
    "order_id": pl.String,
    "customer_id": pl.String,
    "ordered_at": pl.Datetime("us"),
    "country": pl.String,
    "units": pl.Float64,
    "amount": pl.Float64,
    "is_express": pl.Boolean,
    "cancel_reason": pl.String,
}
PAYMENTS = {"order_id": pl.String, "paid_at": pl.Datetime("us"), "method": pl.String, "status": pl.String}
CUSTOMERS = {"customer_id": pl.String, "country": pl.String, "registered_at": pl.Datetime("us")}


def orders(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Orders of 20 by one customer, a day after the other, except for what a row says."""
    usual = {"customer_id": "c", "country": "DE", "units": 1.0, "amount": 20.0, "is_express": False}
    placed = [{"order_id": f"o{n}", "ordered_at": NOON + n * DAY, **usual, **row} for n, row in enumerate(rows)]
    return pl.DataFrame(placed, schema=ORDERS)


def payments(*rows: tuple[str, datetime, str]) -> pl.DataFrame:
    """Payments by card: order, moment and status."""
    return pl.DataFrame([(order, at, "card", status) for order, at, status in rows], PAYMENTS, orient="row")


def customers(*rows: tuple[str, str, datetime]) -> pl.DataFrame:
    return pl.DataFrame(rows, CUSTOMERS, orient="row")


def made(
    placed: pl.DataFrame, paid: pl.DataFrame | None = None, known: pl.DataFrame | None = None
) -> list[dict[str, Any]]:
    found = features(placed, payments() if paid is None else paid, customers() if known is None else known)
    return found.to_dicts()


def test_an_amount_is_compared_with_the_customers_orders_before():
    first, second = made(orders({"amount": 19}, {"amount": 59}))

    assert (first["is_first"], first["against_history"], first["silent_days"]) == (1, 0, 0)
    assert (second["is_first"], second["against_history"]) == (0, pytest.approx(np.log(3)))
    assert second["silent_days"] == pytest.approx(np.log(2))


def test_guests_have_no_history():
    rows = made(orders({"customer_id": None}, {"customer_id": None, "amount": 500}))

    assert [row["is_guest"] for row in rows] == [1, 1]
    assert [row["against_history"] for row in rows] == [0, 0]
    assert [row["is_new_and_dear"] for row in rows] == [0, 1]


def test_an_order_is_sent_abroad_if_its_country_is_known_to_be_another():
    placed = orders({"country": "FR"}, {}, {"customer_id": "unknown"}, {"customer_id": None})

    rows = made(placed, known=customers(("c", "DE", NOON - 10 * DAY)))

    assert [row["is_abroad"] for row in rows] == [1, 0, 0, 0]
    assert rows[0]["account_days"] == pytest.approx(np.log(11))


def test_orders_in_a_row_are_those_up_to_the_order_within_minutes():
    placed = orders(*({"ordered_at": NOON + n * MINUTE} for n in (0, 5, 14, 40)), {"customer_id": None})

    assert [row["orders_in_a_row"] for row in made(placed)] == [1, 2, 3, 1, 1]


def test_orders_of_the_same_moment_are_each_in_the_row():
    placed = orders(*({"ordered_at": NOON} for _ in range(3)), *({"customer_id": None, "ordered_at": NOON},) * 2)

    rows = made(placed)

    assert [row["order_id"] for row in rows] == placed["order_id"].to_list()
    assert [row["orders_in_a_row"] for row in rows] == [3, 3, 3, 2, 2]


def test_attempts_to_pay_tell_of_an_order_only_soon_after_it():
    paid = payments(
        ("o0", NOON, "failed"),
        ("o0", NOON + MINUTE, "captured"),
        ("o0", NOON + 3 * DAY, "failed"),
        ("o0", NOON + 40 * DAY, "charged_back"),
    )

    assert [(row["failed_attempts"], row["is_card"]) for row in made(orders({}, {}), paid)] == [(1, 1), (0, 0)]


def test_charge_backs_tell_of_the_customers_orders_after_them():
    paid = payments(("o0", NOON + 40 * DAY, "charged_back"))
    placed = orders({}, {}, {"ordered_at": NOON + 50 * DAY})

    assert [row["charge_backs_before"] for row in made(placed, paid)] == [0, 0, 1]


def test_what_comes_later_changes_no_feature():
    placed = orders({"amount": 30}, {"amount": 40}, {"customer_id": None})
    later = orders(*[{}] * 3, {"amount": 900}, {"customer_id": None, "country": "FR"})[3:]
    paid = payments(("o0", NOON, "captured"))
    charge_back = payments(("o0", NOON + 60 * DAY, "charged_back"), ("o3", NOON + 3 * DAY, "failed"))

    before = features(placed, paid, customers())
    after = features(pl.concat([placed, later]), pl.concat([paid, charge_back]), customers())

    assert after.filter(pl.col("order_id").is_in(before["order_id"].implode())).equals(before)


def test_a_fraud_is_known_by_its_cancellation_or_its_charge_back():
    placed = orders({"cancel_reason": "fraud"}, {"cancel_reason": "customer"}, {}, {})
    known = labels(placed, payments(("o2", NOON + 40 * DAY, "charged_back"), ("o3", NOON, "captured")))

    assert known["is_fraud"].to_list() == [True, False, True, False]


def test_more_frauds_are_known_of_older_orders():
    assert known_share(np.array([0.0, 30, 75, 120, 900])).tolist() == pytest.approx([0.3, 0.3, 0.65, 1, 1])


@pytest.mark.parametrize("rows", [0, 1, 3 * FEWEST])
def test_without_known_frauds_there_are_the_rules_alone(rows):
    placed = orders(*[{"cancel_reason": "customer"}] * rows)
    found = features(placed, payments(), customers())

    model = fit(found, labels(placed, payments()), NOON + 300 * DAY)

    assert model == FraudModel()
    assert predict(model, found)["chance"].to_list() == of_points(rules(found)).tolist()
    assert predict(model, found).height == rows


def test_without_good_orders_there_are_the_rules_alone():
    placed = orders(*[{"cancel_reason": "fraud"}] * 3 * FEWEST)

    assert fit(features(placed, payments(), customers()), labels(placed, payments()), NOON + 300 * DAY) == FraudModel()


def test_rows_without_values_have_a_chance():
    nothing = pl.DataFrame([{"order_id": "o", "ordered_at": NOON}], schema=ORDERS)
    found = features(nothing, payments(), customers())

    assert found.select(pl.all_horizontal(pl.col(FEATURES).is_finite())).item()
    assert 0 < predict(FraudModel(), found)["chance"].item() < 1


def test_points_have_reasons():
    placed = orders({"customer_id": None, "amount": 300, "is_express": True}, {})
    found = features(placed, payments(), customers())

    assert rules(found).tolist() == [3, 0]
    assert reasons(found).to_list() == ["a new account or none, and a high amount, in haste", ""]


def marked(size: int, seed: int = 3) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Orders of guests over 400 days, of which expensive ones are more often frauds."""
    draws = np.random.default_rng(seed)
    amount = draws.lognormal(4, 1, size)
    is_fraud = draws.random(size) < 1 / (1 + np.exp(8 - 1.5 * np.log(amount)))
    rows = [
        {"customer_id": None, "ordered_at": NOON + n * 400 * DAY / size, "amount": float(value)}
        | {"cancel_reason": "fraud" if bad else None}
        for n, (value, bad) in enumerate(zip(amount, is_fraud, strict=True))
    ]
    placed = orders(*rows)
    return features(placed, payments(), customers()), labels(placed, payments())


def test_chances_are_as_likely_as_they_say():
    model = fit(*marked(6_000), NOON + 600 * DAY)
    found, known = marked(6_000, seed=4)

    chance, is_fraud = predict(model, found)["chance"].to_numpy(), known["is_fraud"].to_numpy()

    assert expected_calibration_error(chance, is_fraud.astype(float)) < 0.02
    assert auc(chance, is_fraud) > 0.75


def test_a_refit_on_rows_in_another_order_writes_the_same_text():
    found, known = marked(2_000)
    model = fit(found, known, NOON + 600 * DAY)

    again = fit(found.sample(fraction=1, shuffle=True, seed=1), known.reverse(), NOON + 600 * DAY)

    assert again.to_json() == model.to_json()
    assert FraudModel.from_json(model.to_json()) == model


def test_orders_after_the_cut_off_are_not_learnt_from():
    found, known = marked(2_000)
    cut_off = NOON + 200 * DAY

    model = fit(found, known, cut_off)

    assert model == fit(found.filter(pl.col("ordered_at") <= cut_off), known, cut_off)
    assert model != fit(found, known, NOON + 600 * DAY)


def known(arrived: list[dict[str, pl.DataFrame]]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Orders, payments and customers as they are known when some days' rows have arrived."""

    def rows(feed: str, *key: str, keep: Literal["first", "last"] = "last") -> pl.DataFrame:
        found = pl.concat([frames[feed] for frames in arrived])
        moment = "changed_at" if feed == "customers" else "updated_at"
        return found.sort(moment, maintain_order=True).unique(key, keep=keep, maintain_order=True)

    units = rows("order_items", "order_id", "line_number").group_by("order_id").agg(units=pl.col("quantity").sum())
    service = rows("shipments", "order_id").select("order_id", is_express=pl.col("service") == "express")
    placed = rows("orders", "order_id").with_columns(amount="total")
    placed = placed.join(units, on="order_id", how="left").join(service, on="order_id", how="left")
    return placed, rows("payments", "payment_id"), rows("customers", "customer_id", keep="first")


@pytest.mark.slow
def test_frauds_of_a_shop_are_ranked_better_than_by_rules_or_amounts():
    shop = Shop(date(2024, 1, 1), seed=41, preset=Scale(events_per_order=0.01))
    days = [shop.start + n * DAY for n in range(120)]
    arrived, cut_off = [shop.arrivals(day) for day in days], datetime.combine(days[90], time())
    truth = pl.concat([shop.truth(day)["orders"] for day in days])

    placed, paid, base = known(arrived[:90])
    model = fit(features(placed, paid, base), labels(placed, paid), cut_off)

    placed, paid, base = known(arrived)
    is_sold = ~pl.col("cancel_reason").is_in(["void", "test"]).fill_null(value=False)
    sold = placed.filter(is_sold, pl.col("ordered_at") >= cut_off).select("order_id").join(truth, on="order_id")
    new = features(placed, paid, base).join(sold, on="order_id")
    is_fraud, chance = new["is_fraud"].to_numpy(), predict(model, new)["chance"].to_numpy()
    by_rules, by_amount = auc(rules(new), is_fraud), auc(new["amount"].to_numpy(), is_fraud)
    found = chance[is_fraud] > np.quantile(chance[~is_fraud], 0.99)

    assert 0.88 < auc(chance, is_fraud) < 0.98
    assert auc(chance, is_fraud) > by_rules + 0.03 > by_amount
    assert found.mean() > 0.5
    assert expected_calibration_error(chance, is_fraud.astype(float)) < 0.02
