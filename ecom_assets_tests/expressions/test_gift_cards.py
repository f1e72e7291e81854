import narwhals as nw
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_assets.expressions.gift_cards import is_called_gift_card, is_gift_card_method
from ecom_assets_tests.samples import collected, on_duckdb

CARDS = ["Gift cards", "gift_card", "GIFT-CARD", "Giftcard", "e-gift card", "Gift voucher", "gift certificates"]
CREDITS = ["store_credit", "Store Credit"]
WITH_AMOUNTS = ["Gift card 50", "Gift Card €50.00", "gift_card_100"]
OTHERS = ["Gift card holder", "Gifts", "Cards", "Gift wrap", "gift", "card", "My gift card", "credit card", "", None]


def told(names, is_one):
    frame = nw.from_native(pl.LazyFrame({"name": names}, schema={"name": pl.String()}))
    by_polars, by_duckdb = (
        collected(on_engine.select("name", said=is_one("name")))["said"].to_list()
        for on_engine in (frame, on_duckdb(frame))
    )
    assert by_polars == by_duckdb
    return by_polars


def test_gift_cards_are_known_by_their_name_and_nothing_else_is():
    assert told([*CARDS, *WITH_AMOUNTS], is_called_gift_card) == [True] * 10
    assert told([*OTHERS, *CREDITS], is_called_gift_card) == [False] * 12


def test_means_of_payment_are_gift_cards_or_store_credit():
    assert told([*CARDS, *CREDITS], is_gift_card_method) == [True] * 9
    assert told([*OTHERS, "card", "paypal"], is_gift_card_method) == [False] * 12


GAPS = st.text(" _-", max_size=3)


@pytest.mark.slow
@given(
    GAPS, st.sampled_from(["card", "voucher", "certificate"]), st.sampled_from(["", "s"]), st.text("0123456789 .,€$-")
)
def test_case_gaps_plural_and_amount_do_not_count(gap, noun, plural, amount):
    name = f"gift{gap}{noun}{plural}"

    cases = [name.lower(), name.upper(), name.title()]
    assert (
        told(cases, is_gift_card_method) == told([case + amount for case in cases], is_called_gift_card) == [True] * 3
    )
