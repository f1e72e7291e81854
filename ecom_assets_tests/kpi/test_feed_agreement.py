from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import narwhals as nw
import polars as pl
import pytest

from ecom_assets.gold.fact_payments import FactPayments
from ecom_assets.kpi.feed_agreement import (
    EVENTS,
    LINES,
    ONCE,
    PAYMENTS,
    SHIPMENTS,
    SUBTOTALS,
    TOTALS,
    FeedAgreement,
    transform,
)
from ecom_assets.silver.order_completions import OrderCompletions
from ecom_assets.silver.order_items import OrderItems
from ecom_assets.silver.orders import Orders
from ecom_assets.silver.shipments import Shipments
from ecom_assets_tests.samples import broken_rules, collected, rows, run, sample

COUNT = 20
CHARGES = {"discount": "0", "shipping": "0", "tax": "0"}
Change = Mapping[str, Any]


def compared(
    lines: int = COUNT,
    shipments: int = COUNT,
    payments: int = COUNT,
    orders: int = COUNT,
    price: Change | None = None,
    paid: Change | None = None,
    of_orders: Change | None = None,
) -> Any:
    """Twenty orders of 10 each with what follows from them, but only the first ones of some feeds."""
    numbers = [f"O{number}" for number in range(COUNT)]
    sums = {"status": "shipped", "subtotal": "10", "total": "10", **CHARGES, **(of_orders or {})}
    line = {"quantity": "1", "unit_price": "10", "discount": "0", "line_number": 1, **(price or {})}
    payment = {"status": "captured", "received": "10", **(paid or {})}
    return run(
        transform,
        sample(Orders, *({"order_id": number, **sums} for number in numbers[:orders])),
        sample(OrderItems, *({"order_id": number, **line} for number in numbers[:lines])),
        sample(
            Shipments,
            *({"order_id": number, "shipment_id": number, "status": "delivered"} for number in numbers[:shipments]),
        ),
        sample(OrderCompletions, *({"order_id": number} for number in numbers)),
        sample(
            FactPayments,
            {"order_id": "of another", "payment_id": "of another"},
            *({"order_id": number, "payment_id": number, **payment} for number in numbers[:payments]),
        ),
        nw.from_native(pl.LazyFrame({"day": sample(Orders, {}).collect()["ordered_on"]})),
    )


def missing(made: Any) -> dict[str, tuple[int, Decimal]]:
    return {
        name: (count, amount) for name, count, amount in rows(made, "check_name", "missing", "missing_amount") if count
    }


def test_feeds_that_agree_lack_nothing():
    made = compared()
    FeedAgreement.validate(collected(made))

    assert missing(made) == {}
    assert {count for _, count in rows(made, "check_name", "compared")} == {COUNT}


@pytest.mark.parametrize(
    ("change", "lack"),
    [
        ({"lines": 15}, {LINES: (5, Decimal(50))}),
        ({"shipments": 15}, {SHIPMENTS: (5, Decimal(50))}),
        ({"payments": 15}, {PAYMENTS: (5, Decimal(50))}),
        ({"orders": 15}, {EVENTS: (5, Decimal(0))}),
        ({"price": {"unit_price": "1000"}}, {SUBTOTALS: (20, Decimal(19800))}),
        ({"price": {"unit_price": "9.90"}}, {}),
        ({"paid": {"received": "10.11"}}, {TOTALS: (20, Decimal("2.20"))}),
        ({"paid": {"paid_on": "2024-01-08"}}, {}),
        ({"paid": {"paid_on": "2024-01-09"}}, {PAYMENTS: (20, Decimal(200))}),
        ({"paid": {"status": "authorised", "received": "0"}}, {}),
        ({"of_orders": {"subtotal": None}}, {}),
        ({"of_orders": {"customer_id": "C1"}}, {ONCE: (19, Decimal(190))}),
        ({"of_orders": {"status": "placed"}, "payments": 0, "shipments": 0}, {}),
    ],
)
def test_what_a_feed_lacks_is_counted(change, lack):
    assert missing(compared(**change)) == lack


@pytest.mark.parametrize(
    ("count", "of", "is_told"), [(5, 20, False), (6, 20, True), (20, 100, False), (21, 100, True), (20, 20, True)]
)
def test_more_than_one_in_five_is_told(count, of, is_told):
    found = broken_rules(FeedAgreement, {"check_name": LINES, "missing": count, "compared": of})

    assert found == (["Of the day's orders, at most one in five, or five, have no line."] if is_told else [])
