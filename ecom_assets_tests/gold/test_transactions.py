"""The views of orders and lines under the names that other shops' reports know."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import duckdb
import pytest

from ecom_assets.gold.fact_payments import TRANSACTIONS, FactPayments
from ecom_assets.gold.fact_sales import TRANSACTION_ITEMS, FactSales
from ecom_assets_tests.samples import collected, sample

NOON = dt.datetime.fromisoformat("2024-01-01 12:00")


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    line = {"order_id": "1", "quantity": 2, "unit_price": "5", "gross_sales": "10", "net_amount": "9", "discounts": "1"}
    frames = {
        "fact_sales": sample(FactSales, {**line, "shipping": "3", "tax": "2"}, {**line, "line_number": 2}),
        "fact_payments": sample(
            FactPayments,
            {"payment_id": "1", "order_id": "1", "method": "card", "received": "23"},
            {"payment_id": "2", "order_id": "1", "method": "paypal", "paid_at": NOON + dt.timedelta(hours=1)},
            {"payment_id": "3", "order_id": "1", "method": "card", "received": "-4"},
        ),
    }
    with duckdb.connect() as con:
        con.execute("create schema gold")
        for name, frame in frames.items():
            con.from_arrow(collected(frame).to_arrow()).create(f"gold.{name}")
        for name, query in (TRANSACTIONS, TRANSACTION_ITEMS):
            con.execute(f"create view {name} as {query}")
        yield con


def test_a_transaction_is_an_order_with_its_payment(con):
    columns = "transaction_id, item_count, units, subtotal, discount, total, payment_method, received"

    assert con.execute(f"select {columns} from gold.transactions").fetchall() == [
        ("1", 2, 4, Decimal(20), Decimal(2), Decimal(23), "card", Decimal(19))
    ]


def test_the_items_of_a_transaction_come_to_its_subtotal_less_discount(con):
    [(items, transactions)] = con.execute("""
        select (select sum(total) from gold.transaction_items), (select sum(subtotal - discount) from gold.transactions)
    """).fetchall()

    assert items == transactions == 18
