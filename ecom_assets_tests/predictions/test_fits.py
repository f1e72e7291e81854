"""When models are fitted, and which one is the champion."""

import datetime as dt

import polars as pl

from ecom_assets.predictions._fits import champions, digest, fit_days

JANUARY, FEBRUARY, MARCH = dt.date(2024, 1, 7), dt.date(2024, 2, 4), dt.date(2024, 3, 3)


def test_a_challenger_becomes_champion_by_beating_the_champion_and_nobody_else():
    scores = [
        *((JANUARY, "floor", ["b"]), (JANUARY, "a", []), (JANUARY, "b", ["a"])),
        *((FEBRUARY, "floor", []), (FEBRUARY, "a", ["floor"]), (FEBRUARY, "b", ["floor", "a"])),
        *((MARCH, "floor", ["a"]), (MARCH, "a", ["c"]), (MARCH, "b", [])),
    ]

    assert champions(scores, "floor") == {
        JANUARY: ("floor", None),
        FEBRUARY: ("b", FEBRUARY),
        MARCH: ("b", FEBRUARY),
    }


def test_a_later_score_does_not_change_who_was_champion():
    first = [(JANUARY, "a", ["floor"])]

    assert champions(first, "floor")[JANUARY] == champions([*first, (FEBRUARY, "b", ["a"])], "floor")[JANUARY]


def customers(spread: float) -> pl.DataFrame:
    return pl.DataFrame({"orders": [n * spread for n in range(200)]})


def test_models_are_fitted_every_four_weeks_and_where_customers_have_changed():
    sundays = [dt.date(2024, 1, day) for day in (14, 21, 28)]
    seen = dict(zip([JANUARY, *sundays, FEBRUARY], map(customers, (1, 1, 3, 3, 3)), strict=True))

    assert fit_days(seen, ["orders"]) == [JANUARY, sundays[1], FEBRUARY]


def test_before_the_first_period_end_nothing_is_fitted():
    assert fit_days({dt.date(2024, 1, 14): customers(1), dt.date(2024, 1, 21): customers(9)}, ["orders"]) == []


def test_a_fingerprint_of_training_data_tells_rows_and_not_their_order():
    rows = pl.DataFrame({"customer": ["a", "b"], "orders": [1, 2]})

    assert digest(rows) == digest(rows.reverse())
    assert digest(rows) != digest(rows.with_columns(pl.col("orders") + 1))
