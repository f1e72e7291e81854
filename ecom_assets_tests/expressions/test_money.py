from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import Any

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.expressions.money import extended, ratio, share_by_largest_remainder, share_by_partial_sums
from ecom_assets_tests.samples import POLARS_TYPES, rows, run

MONEY = POLARS_TYPES["decimal"]

share = partial(
    share_by_largest_remainder, amount="discount", by="price", within="order_id", order_by="line_number", name="share"
)


def orders(*orders_: tuple[str, list[str]]) -> nw.LazyFrame:
    """Lines of orders, each given as its discount and the prices of its lines."""
    lines = [
        (f"o{order}", line, Decimal(discount), Decimal(price))
        for order, (discount, prices) in enumerate(orders_)
        for line, price in enumerate(prices, start=1)
    ]
    schema = {"order_id": pl.String(), "line_number": pl.Int64(), "discount": MONEY, "price": MONEY}
    return nw.from_native(pl.LazyFrame(lines, schema=schema, orient="row"))


def shares(discount: str, prices: list[str]) -> list[str]:
    return [str(part) for _, part in rows(run(share, orders((discount, prices))), "line_number", "share")]


def test_a_discount_is_shared_in_proportion():
    assert shares("10.00", ["30", "10"]) == ["7.5000", "2.5000"]


def test_the_cents_left_go_to_the_largest_remainders_then_to_the_first_lines():
    assert shares("1.00", ["1", "1", "1"]) == ["0.3400", "0.3300", "0.3300"]
    assert shares("1.00", ["1", "2", "4"]) == ["0.1400", "0.2900", "0.5700"]


def test_what_is_below_the_cent_goes_to_the_largest_line():
    assert shares("1.0005", ["1", "3"]) == ["0.2500", "0.7505"]


def test_lines_that_cost_nothing_share_equally():
    assert shares("0.03", ["0", "0"]) == ["0.0200", "0.0100"]


def test_a_discount_of_a_billion_is_shared_without_overflow():
    assert shares("1000000000.01", ["99999999999999", "99999999999999"]) == ["500000000.0100", "500000000.0000"]


amounts = st.decimals(min_value=0, max_value=10_000, places=4)


@settings(max_examples=30)
@given(st.lists(st.tuples(amounts, st.lists(amounts, min_size=1, max_size=6)), min_size=1, max_size=10))
def test_shares_add_up_exactly_and_are_within_a_cent_of_the_exact_ones(given_orders):
    lines = run(share, orders(*given_orders)).collect("polars").to_native()

    for order, (discount, prices) in enumerate(given_orders):
        found = lines.filter(pl.col("order_id") == f"o{order}").sort("line_number")["share"].to_list()
        weights = prices if any(prices) else [1] * len(prices)
        assert sum(found) == discount
        for part, weight in zip(found, weights, strict=True):
            below_the_cent = discount % Decimal("0.01")
            assert abs(part - discount * weight / sum(weights)) < Decimal("0.01") + below_the_cent


def parts(discount: str, weights: list[int]) -> list[str]:
    lines = orders((discount, [str(weight) for weight in weights]))
    share_by_weight = partial(
        share_by_partial_sums, amounts=["discount"], by=["weight"], within="order_id", order_by="line_number"
    )
    shared = run(share_by_weight, lines.with_columns(weight=nw.col("price").cast(nw.Int64)))
    return [str(part) for _, part in rows(shared, "line_number", "weight discount")]


def test_partial_sums_share_any_amount_to_its_last_decimal():
    assert parts("70", [1, 2, 4]) == ["10.0000", "20.0000", "40.0000"]
    assert parts("1", [1, 1, 1]) == ["0.3333", "0.3334", "0.3333"]
    assert parts("-1", [1, 0, 2]) == ["-0.3333", "0.0000", "-0.6667"]
    assert sum(map(Decimal, parts("99999999999999.9999", [1, 10**12, 3]))) == Decimal("99999999999999.9999")


def products(*given_: tuple[Any, Any]) -> list[Decimal | None]:
    """The products of quantities and prices, in order."""
    lines = [(place, Decimal(quantity), Decimal(price)) for place, (quantity, price) in enumerate(given_)]
    schema = {"place": pl.Int64(), "quantity": MONEY, "price": MONEY}
    frame = nw.from_native(pl.LazyFrame(lines, schema=schema, orient="row"))
    made = run(lambda lines: lines.select("place", x=extended("quantity", "price")), frame)
    return [product for _, product in rows(made, "place", "x")]


def test_quantity_times_price_keeps_every_decimal():
    assert products(("1", "2.5525"), ("3", "0.0001")) == [Decimal("2.5525"), Decimal("0.0003")]


def test_a_product_that_no_row_may_hold_is_unknown():
    most = "9999999999.9999"

    assert products(("1", most), ("2", "5000000000"), (most, most), ("99999999999999.9999", "1")) == [
        Decimal(most),
        *(None, None, None),
    ]


@pytest.mark.parametrize(
    ("quantity", "price", "amount"),
    [
        ("0.75", "10", "7.50"),
        ("0.5", "0.33", "0.17"),
        ("-0.5", "0.33", "-0.17"),
        ("0.5", "0.35", "0.18"),
        ("0.4999", "0.01", "0.00"),
        ("0.9999", "9999999999.9999", "9999000000"),
        ("0.3333", "0.0149", "0.00"),
        ("1.0001", "0.0049", "0.00"),
    ],
)
def test_a_fraction_of_a_unit_costs_whole_cents(quantity, price, amount):
    assert products((quantity, price)) == [Decimal(amount)]


quantities = st.decimals(min_value=-100_000, max_value=100_000, places=4) | st.integers(-100_000, 100_000)
prices = st.decimals(min_value=-100_000, max_value=100_000, places=4) | st.decimals(0, 1, places=2)


@settings(max_examples=50)
@given(st.lists(st.tuples(quantities, prices), min_size=1, max_size=20))
def test_products_are_those_of_a_shops_till(given_):
    def charged(quantity: Decimal, price: Decimal) -> Decimal:
        product = quantity * price
        return product if quantity % 1 == 0 else product.quantize(Decimal("0.01"), ROUND_HALF_UP)

    expected = [charged(Decimal(quantity), price) for quantity, price in given_]

    assert products(*given_) == [amount if abs(amount) < 10**10 else None for amount in expected]


def test_a_ratio_over_nothing_is_unknown():
    lines = orders(("1", ["4"]), ("1", ["0"]))

    assert rows(run(lambda frame: frame.select(x=ratio("discount", "price")), lines), "x") == [None, 0.25]
