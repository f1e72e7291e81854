from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_assets.shop.rows import amounts, numbered
from ecom_assets.shop.sales import shared_out


def test_ids_have_a_fixed_width_and_nobody_has_none() -> None:
    assert numbered("C", np.array([0, 42, -1, 99_999_999]), 8).to_list() == [
        "C00000000",
        "C00000042",
        None,
        "C99999999",
    ]


def test_an_id_never_loses_a_digit() -> None:
    with pytest.raises(ValueError, match="more than the 4 digits"):
        numbered("C", np.array([10_000]), 4)


def test_cents_become_exact_decimals() -> None:
    money = amounts(np.array([0, 1, -250, 123_456_789_012]))

    assert money.dtype == pl.Decimal(18, 4)
    assert money.to_list() == [Decimal(text) for text in ("0", "0.01", "-2.50", "1234567890.12")]


orders = st.lists(
    st.tuples(st.integers(0, 10_000), st.lists(st.integers(1, 5_000), min_size=1, max_size=6)), max_size=8
)


@given(orders)
def test_shares_add_up_and_are_within_a_cent_of_proportion(given_orders: list[tuple[int, list[int]]]) -> None:
    totals = np.array([total for total, _ in given_orders], dtype=np.int64)
    weights = np.array([weight for _, lines in given_orders for weight in lines], dtype=np.int64)
    order = np.array([place for place, (_, lines) in enumerate(given_orders) for _ in lines], dtype=np.int64)

    shares = shared_out(totals, weights, order)

    assert np.bincount(order, shares, minlength=len(totals)).tolist() == totals.tolist()
    exact = totals[order] * weights / np.bincount(order, weights, minlength=len(totals))[order]
    assert (np.abs(shares - exact) < 1).all()


def test_a_cent_left_over_goes_to_the_earlier_of_equal_lines() -> None:
    assert shared_out(np.array([100]), np.array([1, 1, 1]), np.array([0, 0, 0])).tolist() == [34, 33, 33]


def test_a_cent_left_over_goes_to_the_line_that_lacks_most() -> None:
    assert shared_out(np.array([100]), np.array([1, 2]), np.array([0, 0])).tolist() == [33, 67]
