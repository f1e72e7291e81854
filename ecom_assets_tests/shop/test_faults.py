import dataclasses
import json
from datetime import date, timedelta
from decimal import Decimal

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ecom_assets.expressions.money import ROUNDING_TOLERANCE
from ecom_assets.shop import faults
from ecom_assets.shop.scale import DEFAULT_PRESET, PRESETS
from ecom_assets.shop.shop import Shop

START = date(2024, 1, 1)
FRAME_FAULTS = {(fault, feed) for feed, listed in faults.FAULTS.items() for fault in listed}


@pytest.fixture(scope="module")
def day() -> dict[str, pl.DataFrame]:
    shop = Shop(START, preset=dataclasses.replace(PRESETS[DEFAULT_PRESET], merged_share=0.2))
    return {**shop.day(START + timedelta(days=14)), "suppliers": shop.day(START)["suppliers"]}


@pytest.mark.parametrize(("fault", "feed"), sorted(FRAME_FAULTS, key=lambda each: (each[0].__name__, each[1])))
def test_a_fault_spoils_exactly_the_rows_it_names(fault: faults.Fault, feed: str, day: dict[str, pl.DataFrame]) -> None:
    good = day[feed]

    spoiled = fault(good, 0.05, 3)

    differs = good[spoiled.column].ne_missing(spoiled.rows[spoiled.column])
    assert spoiled.fault == fault.__name__
    assert len(spoiled.places) >= 1
    assert tuple(differs.arg_true()) == spoiled.places
    assert_frame_equal(spoiled.rows.drop(spoiled.column), good.drop(spoiled.column))


def test_the_seed_decides_which_rows_are_spoiled(day: dict[str, pl.DataFrame]) -> None:
    one, again, other = (faults.null_key(day["orders"], 0.05, seed).places for seed in (3, 3, 4))

    assert one == again
    assert one != other


def test_a_wrong_total_is_a_cent_further_off_than_rounding(day: dict[str, pl.DataFrame]) -> None:
    spoiled = faults.wrong_total(day["orders"], 0.01, 3)
    place = list(spoiled.places)

    assert set((spoiled.rows["total"] - day["orders"]["total"])[place]) == {ROUNDING_TOLERANCE + Decimal("0.01")}


def test_an_unreadable_number_is_text_that_no_cast_reads(day: dict[str, pl.DataFrame]) -> None:
    spoiled = faults.unreadable_number(day["order_items"], 0.05, 3)

    read = spoiled.rows["unit_price"].cast(pl.Decimal(18, 4), strict=False)
    assert tuple(read.is_null().arg_true()) == spoiled.places


def test_duplicates_stand_at_the_end(day: dict[str, pl.DataFrame]) -> None:
    good = day["payments"]

    spoiled = faults.duplicate_row(good, 0.02, 3)

    assert spoiled.rows.head(good.height).equals(good)
    assert spoiled.places == tuple(range(good.height, spoiled.rows.height))
    assert spoiled.rows[list(spoiled.places)].join(good, on=good.columns, how="anti", nulls_equal=True).is_empty()


def test_a_file_cut_off_loses_the_end_of_its_last_line() -> None:
    spoiled = faults.cut_off("a,b\n1,2\n345,678\n", 3)

    assert spoiled.lines == (3,)
    assert "a,b\n1,2\n345,678".startswith(spoiled.text)
    assert spoiled.text.startswith("a,b\n1,2\n3")
    assert not spoiled.text.endswith("678")


def test_a_further_field_stands_in_the_lines_it_names() -> None:
    text = "a,b\n" + "1,2\n" * 40

    spoiled = faults.further_field(text, 0.1, 3)

    assert len(spoiled.lines) == 4
    assert [n for n, line in enumerate(spoiled.text.splitlines(), 1) if line.count(",") == 2] == list(spoiled.lines)


def test_broken_json_cannot_be_read_in_the_lines_it_names() -> None:
    spoiled = faults.broken_json('{"a": 1}\n' * 40, 0.1, 3)

    for number, line in enumerate(spoiled.text.splitlines(), 1):
        if number in spoiled.lines:
            with pytest.raises(json.JSONDecodeError):
                json.loads(line)
        else:
            assert json.loads(line) == {"a": 1}


def test_nothing_to_spoil_is_left_alone(day: dict[str, pl.DataFrame]) -> None:
    spoiled = faults.negative_quantity(day["order_items"].clear(), 0.5, 3)

    assert spoiled.places == ()
    assert spoiled.rows.is_empty()
