"""Forecasts of demand: what they keep, what they leave out, and that they beat their floors on a real shop."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ecom_assets.models import demand
from ecom_assets.models.demand_history import DemandHistory

CUT_OFF = dt.date(2024, 6, 30)
WEEK = 7


def sales_of(units: dict[str, list[float]], *, end: dt.date = CUT_OFF, out: dict[str, set[int]] | None = None):
    """Rows of days that end with a day; days out of stock are named by their place."""
    rows = [
        (
            product,
            end - dt.timedelta(days=len(days) - 1 - place),
            float(sold),
            place not in (out or {}).get(product, ()),
        )
        for product, days in units.items()
        for place, sold in enumerate(days)
    ]
    schema = {"product_id": pl.String, "day": pl.Date, "units": pl.Float64, "in_stock": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row")


def products_of(categories: dict[str, str | None], listed_on: dt.date | None = None):
    rows = [(product, category, listed_on) for product, category in categories.items()]
    return pl.DataFrame(rows, {"product_id": pl.String, "category": pl.String, "listed_on": pl.Date}, orient="row")


def drawn(seed: int, products: int, weeks: int) -> pl.DataFrame:
    """Sales of a few products, some of which start late or sell rarely."""
    draws = np.random.default_rng(seed)
    units = draws.poisson(draws.uniform(0.02, 3, (products, 1)), (products, weeks * WEEK)) * draws.integers(1, 4)
    return sales_of({f"P{place}": list(days[draws.integers(0, 60) :]) for place, days in enumerate(units)})


CATEGORIES = products_of({"P0": "mugs", "P1": "mugs", "P2": "mugs", "P3": "pens", "P4": None, "NEW": "mugs"})


def forecasts(sales: pl.DataFrame, products: pl.DataFrame = CATEGORIES, cut_off: dt.date = CUT_OFF):
    model = demand.fit(sales, products, cut_off)
    expected = demand.outlook(model, sales, products, cut_off)
    return demand.weekly(model, expected), demand.daily(model, expected), demand.of_categories(model, expected)


def expected_units(frame: pl.DataFrame, product: str) -> float:
    return float(frame.filter(pl.col("product_id") == product)["expected_units"][0])


histories = st.builds(drawn, st.integers(0, 10_000), st.just(5), st.integers(9, 30))
few = settings(max_examples=8, deadline=None)


@few
@given(histories)
def test_quantiles_are_ordered_finite_and_not_below_nothing(sales):
    for frame in forecasts(sales):
        low, middle, high = (frame[name].to_numpy() for name in ("units_p50", "units_p90", "units_p95"))
        assert (low >= 0).all()
        assert (low <= middle).all()
        assert (middle <= high).all()
        assert np.isfinite(frame.select(pl.selectors.float()).to_numpy()).all()
        assert not frame.null_count().sum_horizontal().item()


@few
@given(histories)
def test_units_of_products_add_up_to_those_of_their_category_and_days_to_weeks(sales):
    weekly, daily, of_categories = forecasts(sales)

    sums = weekly.group_by("category", "week").agg(pl.col("expected_units").sum()).sort("category", "week")
    assert_frame_equal(sums, of_categories.select("category", "week", "expected_units"), abs_tol=1e-9)
    days = daily.group_by("product_id", week=((pl.col("day") - CUT_OFF).dt.total_days() - 1) // WEEK + 1)
    of_days = days.agg(pl.col("expected_units").sum()).sort("product_id", "week")
    assert of_days["expected_units"].to_list() == pytest.approx(weekly["expected_units"].to_list(), abs=1e-4)


@few
@given(histories, st.sampled_from([0.001, 0.5, 12.0, 1000.0]))
def test_units_in_another_measure_give_forecasts_in_that_measure(sales, times):
    for frame, scaled in zip(forecasts(sales), forecasts(sales.with_columns(pl.col("units") * times)), strict=True):
        for name in ("expected_units", "units_p50", "units_p95"):
            assert scaled[name].to_list() == pytest.approx((frame[name] * times).to_list(), rel=2e-3, abs=1e-3)


@few
@given(histories, st.integers(0, 100))
def test_the_order_of_rows_and_later_rows_change_nothing(sales, seed):
    later = sales_of({"P0": [500.0] * 9, "P9": [500.0] * 9}, end=CUT_OFF + dt.timedelta(days=9))
    changed = pl.concat([sales, later]).sample(fraction=1, shuffle=True, seed=seed)
    shuffled = CATEGORIES.sample(fraction=1, shuffle=True, seed=seed)

    assert demand.fit(changed, shuffled, CUT_OFF) == demand.fit(sales, CATEGORIES, CUT_OFF)
    for frame, other in zip(forecasts(sales), forecasts(changed, shuffled), strict=True):
        assert_frame_equal(frame, other)


def test_a_model_is_its_text():
    model = demand.fit(drawn(1, 5, 20), CATEGORIES, CUT_OFF)

    assert demand.DemandModel.from_json(model.to_json()) == model


def test_days_without_stock_are_no_days_without_demand():
    out = {"P0": set(range(70, 140))}
    ended = [3.0] * 70 + [0.0] * 70

    others = {f"P{place}": [2.0, 5.0, 1.0, 4.0] * 35 for place in range(2, 9)}

    weekly, _, _ = forecasts(sales_of({"P0": ended, "P1": ended, **others}, out=out))

    assert expected_units(weekly, "P0") == pytest.approx(21, rel=0.05)
    assert expected_units(weekly, "P1") < 5


def test_a_week_partly_without_stock_counts_with_its_other_days():
    sold = [3.0] * 140
    out = {"P0": {place for place in range(140) if place % WEEK in (2, 3)}}
    sales = sales_of({"P0": [0.0 if place in out["P0"] else 3.0 for place in range(140)], "P1": sold}, out=out)

    weeks = DemandHistory.of(sales, CATEGORIES.clear(), CUT_OFF).weeks

    assert weeks[0] == pytest.approx([21.0] * 20, rel=0.05)
    assert weeks[1] == pytest.approx([21.0] * 20)


def test_a_single_large_order_is_not_expected_again():
    usual = [2.0] * 139

    weekly, _, _ = forecasts(sales_of({"P0": [*usual, 2_000.0], "P1": [*usual, 2.0]}))

    assert expected_units(weekly, "P1") <= expected_units(weekly, "P0") < 45


def test_a_product_without_sales_starts_as_new_products_of_its_category_did():
    old, new = [1.0] * 140, [4.0] * 60
    units = {"P0": old, "P1": new, "P2": new, "P5": new, "P3": [50.0] * 60}
    products = products_of({"P0": "mugs", "P1": "mugs", "P2": "mugs", "P5": "mugs", "P3": "pens", "NEW": "mugs"})

    weekly, _, _ = forecasts(sales_of(units), products)

    assert expected_units(weekly, "NEW") == pytest.approx(28, rel=0.1)


def test_a_new_product_is_near_its_category_by_how_alike_its_products_are():
    draws = np.random.default_rng(8)
    alike = {f"A{place}": draws.poisson(4, 140).tolist() for place in range(12)}
    unlike = {f"U{place}": draws.poisson(0.3 * 2.0**place, 140).tolist() for place in range(8)}
    new = [9.0] * 7 + [7.0] * 7
    categories = dict.fromkeys([*alike, "A-NEW"], "alike") | dict.fromkeys([*unlike, "U-NEW"], "unlike")

    weekly, _, _ = forecasts(sales_of({**alike, **unlike, "A-NEW": new, "U-NEW": new}), products_of(categories))

    assert expected_units(weekly, "A-NEW") < 36 < 45 < expected_units(weekly, "U-NEW")


def test_each_week_listed_without_a_sale_lowers_what_is_expected_of_a_new_product():
    units = {f"P{place}": [4.0] * 60 for place in range(4)}
    early, late = (
        products_of({**dict.fromkeys(units, "mugs"), "NEW": "mugs"}, CUT_OFF - dt.timedelta(days=days))
        for days in (69, 6)
    )

    assert expected_units(forecasts(sales_of(units), early)[0], "NEW") < expected_units(
        forecasts(sales_of(units), late)[0], "NEW"
    )


def test_a_product_listed_after_the_cut_off_is_not_there_yet():
    products = pl.concat([CATEGORIES, products_of({"LATER": "mugs"}, CUT_OFF + dt.timedelta(days=1))])

    assert "LATER" not in forecasts(drawn(3, 5, 20), products)[0]["product_id"]


def test_days_have_the_weekdays_on_which_the_shop_sells():
    closed_on_first = [0.0 if place % WEEK == 0 else 2.0 for place in range(140)]

    _, daily, _ = forecasts(sales_of({f"P{place}": closed_on_first for place in range(3)}))

    of_first = daily.filter(pl.col("product_id") == "P0")["expected_units"].to_list()[:WEEK]
    assert of_first == pytest.approx([0.0, *[2.0] * 6], abs=0.1)


@pytest.mark.parametrize("known", [1, 3, 20])
def test_without_sales_or_products_there_are_no_forecasts_and_of_few_days_there_are(known):
    nothing = sales_of({})
    for frame in forecasts(nothing, CATEGORIES.clear()):
        assert frame.is_empty()
    assert forecasts(nothing)[0]["expected_units"].sum() == 0
    weekly, _, _ = forecasts(sales_of({"P0": [2.0] * known}), CATEGORIES.clear())
    assert weekly["expected_units"][0] > 0
    assert weekly["units_p95"][0] > weekly["units_p50"][0]


def test_seasons_are_known_from_two_years_on():
    days = np.arange(-3 * 364, 28)
    level = 10 * (1 + 0.6 * np.sin(2 * np.pi * days / 364))
    draws = np.random.default_rng(5)
    units = {f"P{place}": draws.poisson(level).astype(float).tolist() for place in range(8)}
    sales = sales_of(units, end=CUT_OFF + dt.timedelta(days=28))
    later = sales.filter(pl.col("day") > CUT_OFF)["units"].sum()

    recent = sales.filter(pl.col("day") > CUT_OFF - dt.timedelta(days=700))
    with_season, without = (forecasts(rows, CATEGORIES.clear())[0]["expected_units"].sum() for rows in (sales, recent))

    assert abs(with_season / later - 1) < 0.05 < abs(without / later - 1)


def test_nine_in_ten_weeks_are_below_the_quantile_of_nine_in_ten():
    draws = np.random.default_rng(6)
    rates = draws.gamma(0.7, 1.0, (300, 1))
    units = draws.poisson(rates, (300, 40 * WEEK)) * draws.geometric(0.5, (300, 40 * WEEK))
    sales = sales_of({f"P{place}": list(days) for place, days in enumerate(units)}, end=CUT_OFF + dt.timedelta(days=28))

    weekly, daily, _ = forecasts(sales, CATEGORIES.clear())

    actual = sales.filter(pl.col("day") > CUT_OFF)
    week = ((pl.col("day") - CUT_OFF).dt.total_days() - 1) // WEEK + 1
    of_weeks = actual.group_by("product_id", week=week).agg(pl.col("units").sum())
    for frame, found, on in ((weekly, of_weeks, "week"), (daily, actual, "day")):
        both = frame.join(found.with_columns(pl.col(on).cast(frame.schema[on])), on=["product_id", on])
        assert both.select((pl.col("units") <= pl.col("units_p90")).mean()).item() == pytest.approx(0.9, abs=0.03)
        assert both.select((pl.col("units") <= pl.col("units_p95")).mean()).item() == pytest.approx(0.95, abs=0.02)
