"""What is ordered again, and the health of stock."""

import datetime as dt
import math

import numpy as np
import polars as pl
import pytest

from ecom_assets.models import demand
from ecom_assets.models.reorder import LEAD_DAYS, LEAD_DAYS_VARIATION, LONGEST_LEAD, Policy, lead_times, reorder

CUT_OFF = dt.date(2024, 6, 30)
NAMES = ["BUSY", "CALM", "ENDED", "NEVER"]
STOCK = {
    "product_id": pl.String,
    "on_hand": pl.Float64,
    "on_order": pl.Float64,
    "supplier_id": pl.String,
    "unit_cost": pl.Float64,
}
LEADS = {"supplier_id": pl.String, "lead_days": pl.Float64, "lead_days_sd": pl.Float64}
NO_LEADS = pl.DataFrame(schema=LEADS)


def _sales() -> pl.DataFrame:
    draws = np.random.default_rng(7)
    units = {"BUSY": draws.poisson(5, 210), "CALM": draws.poisson(0.5, 210), "ENDED": draws.poisson(5, 210)}
    units["ENDED"][100:] = 0
    rows = [
        (product, CUT_OFF - dt.timedelta(days=209 - place), float(sold), None)
        for product, days in units.items()
        for place, sold in enumerate(days)
    ]
    schema = {"product_id": pl.String, "day": pl.Date, "units": pl.Float64, "in_stock": pl.Boolean}
    return pl.DataFrame(rows, schema, orient="row")


SALES = _sales()
PRODUCTS = pl.DataFrame(
    {"product_id": NAMES, "category": [None] * 4, "listed_on": [CUT_OFF - dt.timedelta(days=300)] * 4},
    schema_overrides={"category": pl.String},
)
MODEL = demand.fit(SALES, PRODUCTS, CUT_OFF)
OUTLOOK = demand.outlook(MODEL, SALES, PRODUCTS, CUT_OFF)


def stock(*rows: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, STOCK, orient="row")


def leads(days: float, sd: float) -> pl.DataFrame:
    return pl.DataFrame([("S", days, sd)], LEADS, orient="row")


def of(product: str, frame: pl.DataFrame) -> dict[str, object]:
    return frame.row(by_predicate=pl.col("product_id") == product, named=True)


def busy(on_hand: float | None, *, sd: float = 0.0, on_order: float | None = None, **policy: float):
    rows = stock(("BUSY", on_hand, on_order, "S", 2.0))
    return of("BUSY", reorder(MODEL, OUTLOOK, rows, leads(7, sd), Policy(**policy)))


def test_what_is_missing_to_the_reorder_point_and_another_review_period_is_ordered():
    found = busy(20.0)

    assert found["expected_units"] == pytest.approx(70, rel=0.1)
    assert found["safety_stock"] == pytest.approx(found["reorder_point"] - found["expected_units"])
    assert found["suggested_units"] == math.ceil(found["reorder_point"] + found["expected_units"] / 2 - 20)
    assert busy(20.0, on_order=30.0)["suggested_units"] == pytest.approx(found["suggested_units"] - 30)
    assert busy(200.0)["suggested_units"] == 0


def test_a_higher_service_level_and_a_less_sure_lead_time_need_more_safety_stock():
    assert busy(20.0, service_level=0.95)["safety_stock"] > busy(20.0, service_level=0.8)["safety_stock"]
    assert busy(20.0, sd=5.0)["safety_stock"] > 1.3 * busy(20.0)["safety_stock"]


def test_the_risk_falls_with_the_stock():
    risks = [busy(units)["stockout_risk"] for units in (0.0, 30.0, 40.0, 60.0)]

    assert risks == sorted(risks, reverse=True)
    assert risks[0] > 0.9
    assert risks[-1] < 0.1


def test_stock_that_does_not_sell_is_dead_and_what_lasts_too_long_is_in_excess():
    found = reorder(MODEL, OUTLOOK, stock(*((name, 500.0, None, None, 3.0) for name in NAMES)), NO_LEADS)

    assert dict(found.select("product_id", "is_dead").rows()) == {
        "BUSY": False,
        "CALM": False,
        "ENDED": True,
        "NEVER": True,
    }
    calm = of("CALM", found)
    assert calm["excess_units"] == pytest.approx(500 - 26 * calm["on_hand"] / calm["weeks_of_cover"], rel=1e-3)
    assert calm["excess_value"] == pytest.approx(3 * calm["excess_units"])
    assert of("BUSY", found)["excess_units"] == 0


def test_without_stock_or_cost_what_needs_them_is_null_and_nothing_is_nan():
    found = reorder(MODEL, OUTLOOK, stock(("CALM", 9.0, None, "UNKNOWN", None)), leads(10, 1))

    unknown = of("BUSY", found)
    assert {name for name, value in unknown.items() if value is None} == {
        *("on_hand", "on_order", "supplier_id", "unit_cost", "suggested_units", "stockout_risk"),
        *("weeks_of_cover", "is_dead", "excess_units", "excess_value"),
    }
    assert of("CALM", found)["excess_value"] is None
    assert (unknown["lead_days"], of("CALM", found)["lead_days"]) == (10, 10)
    assert not any(math.isnan(value) for row in found.rows() for value in row if isinstance(value, float))


def test_an_empty_shop_orders_nothing():
    sales, products = SALES.clear(), PRODUCTS.clear()
    model = demand.fit(sales, products, CUT_OFF)

    found = reorder(model, demand.outlook(model, sales, products, CUT_OFF), stock(), NO_LEADS)

    assert found.is_empty()
    assert found.schema == reorder(MODEL, OUTLOOK, stock(), NO_LEADS).schema


def times(receipts: list[tuple[str, int | None]], agreed: dict[str, int | None]) -> dict[str, tuple[float, float]]:
    found = lead_times(
        pl.DataFrame(receipts, {"supplier_id": pl.String, "lead_days": pl.Int64}, orient="row"),
        pl.DataFrame(list(agreed.items()), {"supplier_id": pl.String, "agreed_lead_days": pl.Int64}, orient="row"),
    )
    return {supplier: (lead, sd) for supplier, lead, sd in found.rows()}


def test_lead_times_go_from_what_was_agreed_to_what_was_kept():
    assert times([], {"S": 10})["S"] == (10, pytest.approx(LEAD_DAYS_VARIATION * 10))
    assert times([("S", 20)] * 3, {"S": 10})["S"][0] == pytest.approx(15)
    lead, sd = times([("S", 18), ("S", 22)] * 200, {"S": 10})["S"]
    assert lead == pytest.approx(20, rel=0.01)
    assert sd == pytest.approx(2, rel=0.01)


def test_suppliers_of_whom_nothing_is_known_are_as_the_others_or_as_usual():
    assert times([("S", 20), ("S", None)], {"T": None})["T"][0] == 20
    assert times([], {"T": None})["T"] == (LEAD_DAYS, pytest.approx(LEAD_DAYS_VARIATION * LEAD_DAYS))
    assert times([], {}) == {}


def test_a_lead_time_of_centuries_is_a_mistake():
    receipts = pl.DataFrame({"supplier_id": ["A"], "lead_days": [-1e9]})
    suppliers = pl.DataFrame({"supplier_id": ["A"], "agreed_lead_days": [999_999_999]})

    found = lead_times(receipts, suppliers)

    assert found["lead_days"].max() <= LONGEST_LEAD
    assert found["lead_days"].min() >= 0
