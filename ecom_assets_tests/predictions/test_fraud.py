"""Fraud: orders as known, models and their scores once it is known, and the orders to review."""

import datetime as dt
import json
from typing import Any

import polars as pl
import pytest

from ecom_assets.predictions import fraud_models, fraud_scores, order_risks
from ecom_assets.predictions._fraud import concerning, orders_at
from ecom_assets.silver.customer_versions import CustomerVersions
from ecom_assets.silver.order_item_versions import OrderItemVersions
from ecom_assets.silver.order_versions import OrderVersions
from ecom_assets.silver.payment_versions import PaymentVersions
from ecom_assets_tests.samples import collected, sample

FIT = dt.date(2024, 2, 4)
LAST = FIT + dt.timedelta(days=28)
SETTLED = LAST + dt.timedelta(days=140)


def on(*days: dt.date) -> pl.DataFrame:
    return pl.DataFrame({"day": days}, {"day": pl.Date})


def order(number: str, at: dt.date, arrived: dt.date | None = None, **more: Any) -> dict[str, Any]:
    moment = f"{at} 10:00"
    shared = {"order_id": number, "ordered_on": at, "ordered_at": moment, "updated_at": moment, "customer_id": number}
    return {"arrived_on": arrived or at, **shared, "total": "50", "status": "paid", "is_retracted": False, **more}


def charge_back(number: str, arrived: dt.date) -> dict[str, Any]:
    at = f"{arrived} 10:00"
    return {
        "arrived_on": arrived, "payment_id": f"back {number}", "order_id": number, "paid_at": at, "updated_at": at,
        "status": "charged_back", "method": "card", "is_retracted": False,
    }  # fmt: skip


def failed(number: str, at: dt.date, attempt: int) -> dict[str, Any]:
    return {**charge_back(number, at), "payment_id": f"{attempt} {number}", "status": "failed"}


def versions(orders: list[Any], payments: list[Any] = ()) -> list[pl.DataFrame]:
    return [
        collected(sample(model, *rows))
        for model, rows in (
            (OrderVersions, orders),
            (OrderItemVersions, []),
            (PaymentVersions, payments),
            (CustomerVersions, []),
        )
    ]


def test_a_charge_back_labels_its_order_once_it_has_arrived():
    known = versions([order("A", FIT), order("B", FIT)], [charge_back("A", LAST)])

    before, after = (orders_at(day, *known).labels for day in (FIT, LAST))

    assert not before["is_fraud"].any()
    assert dict(after.iter_rows()) == {"A": True, "B": False}


@pytest.fixture(scope="module")
def shop() -> list[pl.DataFrame]:
    """Each day ten orders, of which one is tried five times and charged back 60 days later."""
    orders, payments = [], []
    for n in range((SETTLED - FIT).days - 60 + 400):
        day = SETTLED - dt.timedelta(days=n)
        for place in range(10):
            number = f"{day} {place}"
            orders.append(order(number, day, total="90" if place in (0, 5) else "50"))
            if place == 0:
                payments += [failed(number, day, attempt) for attempt in range(5)]
                payments.append(charge_back(number, day + dt.timedelta(days=60)))
    return versions(orders, payments)


@pytest.fixture(scope="module")
def models(shop: list[pl.DataFrame]) -> pl.DataFrame:
    return fraud_models.transform(*shop, on(FIT))


@pytest.fixture(scope="module")
def scores(shop: list[pl.DataFrame], models: pl.DataFrame) -> pl.DataFrame:
    return fraud_scores.transform(*shop, models, on(SETTLED))


def test_models_are_scored_once_charge_backs_have_come(scores):
    of = {row["model"]: row for row in scores.iter_rows(named=True)}

    assert (of["rules"]["orders"], of["rules"]["frauds"]) == (280, 28)
    assert of["logistic_regression"]["auc"] == 1.0
    assert of["amount"]["auc"] == pytest.approx(17 / 18)
    assert "amount" in of["rules"]["beats"].split("; ")


def test_precision_and_recall_are_told_by_the_number_of_orders_reviewed(scores):
    told = {row["model"]: row for row in scores.iter_rows(named=True)}

    rules = json.loads(told["rules"]["by_depth"])
    assert rules[0] == {"reviewed": 1, "precision": 1.0, "recall": 1.0}
    assert rules[-1] == {"reviewed": 100, "precision": 0.1, "recall": 1.0}
    [good, bad] = json.loads(told["rules"]["tenths"])
    assert (good["actual"], bad["actual"]) == (0.0, 1.0)
    assert told["amount"]["tenths"] is None


def test_before_charge_backs_can_have_come_nothing_is_scored(shop, models):
    assert fraud_scores.transform(*shop, models, on(LAST)).is_empty()


def test_an_order_is_judged_on_the_day_on_which_it_becomes_known(shop, models, scores):
    made = order_risks.transform(*shop, models, scores.clear(), on(LAST))

    assert made.height == 10
    suspect = made.sort("rank").row(0, named=True)
    assert suspect["order_id"] == f"{LAST} 0"
    assert (suspect["reasons"], suspect["model"]) == ("several failed payments", "rules")


def test_an_order_is_judged_by_its_customers_orders_and_guests_alone(shop):
    guests = [order(f"guest {n}", LAST, customer_id=None) for n in range(3)]
    again = [order(f"again {n}", LAST - dt.timedelta(days=n), customer_id=f"{LAST} 0") for n in range(4)]
    more = collected(sample(OrderVersions, *guests, *again))
    everything = [pl.concat([shop[0], more]), *shop[1:]]
    some = pl.DataFrame({"order_id": [f"{LAST} 0", "guest 2", "again 0"]})

    few, all_of_them = (orders_at(LAST, *of).features for of in (concerning(some, *everything), everything))

    assert few.join(some, on="order_id", how="semi").equals(all_of_them.join(some, on="order_id", how="semi"))
    assert few.height < 20


def test_a_cancelled_order_and_a_later_version_are_not_judged(models, scores):
    rows = [
        order("A", FIT),
        order("A", FIT, arrived=LAST, status="shipped"),
        order("B", LAST, status="cancelled"),
        order("C", LAST),
    ]

    made = order_risks.transform(*versions(rows), models, scores, on(LAST))

    assert made["order_id"].to_list() == ["C"]


def test_without_orders_or_frauds_the_rules_are_all_there_is(models, scores):
    assert fraud_models.transform(*versions([]), on(FIT)).is_empty()
    assert order_risks.transform(*versions([]), models, scores, on(FIT)).is_empty()
    few = fraud_models.transform(*versions([order("A", FIT)]), on(FIT))
    made = order_risks.transform(*versions([order("A", FIT)]), few, scores, on(FIT))
    assert made["chance"].is_between(0, 1).all()
