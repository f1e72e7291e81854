"""Several shops whose feeds share a landing zone: a store's numbers are its own, in keys and in references."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.landing.zone import Zone
from ecom_assets.warehouse.proof import settle, verify
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.warehouses import START, session_over, upstream_of

pytestmark = pytest.mark.slow

GOALS = ["kpi.daily_store_sales", "gold.fact_payments"]
AT = f"{START}T10:00:00Z"


@dataclass
class Shops:
    """A landing zone and a session on its warehouse."""

    session: Session

    @property
    def con(self) -> duckdb.DuckDBPyConnection:
        return self.session.con

    def land(self, feed: str, file: str, *rows: dict[str, object]) -> None:
        header = dict.fromkeys(name for row in rows for name in row)
        lines = [",".join(str(row.get(name, "")) for name in header) for row in rows]
        self.session.zone.write(feed, START, file, "\n".join([",".join(header), *lines, ""]).encode())


@contextmanager
def open_shops(folder: Path) -> Iterator[Shops]:
    tables = upstream_of(*GOALS)
    zone = Zone(folder)
    for feed in tables.feeds:
        zone.save_settings(feed, FeedSettings(due=frozenset()))
    shops = Shops(session_over(zone, tables=tables))
    shops.land("products", "p.csv", {"product_id": "P", "changed_at": AT, "price": 1})
    yield shops
    shops.con.close()


def order(number: str, amount: int, **more: object) -> dict[str, object]:
    amounts = {"discount": 0, "shipping": 0, "tax": 0, "total": amount}
    return {
        "order_id": number,
        "ordered_at": AT,
        "updated_at": AT,
        "status": "paid",
        "channel": "web",
        **amounts,
        **more,
    }


def line(number: str, price: int, **more: object) -> dict[str, object]:
    of = {"order_id": number, "line_number": 1, "product_id": "P", "ordered_at": AT, "updated_at": AT}
    return {**of, "quantity": 1, "unit_price": price, "discount": 0, **more}


def payment(number: str, of: str, amount: int, **more: object) -> dict[str, object]:
    paid = {"payment_id": number, "order_id": of, "paid_at": AT, "updated_at": AT, "method": "card"}
    return {**paid, "status": "captured", "amount": amount, "fee": 0, **more}


@pytest.fixture
def shops(tmp_path: Path) -> Iterator[Shops]:
    with open_shops(tmp_path / "landing") as shops:
        yield shops


def test_two_shops_with_the_same_numbers_sell_two_orders(shops):
    for store, price in (("de", 10), ("fr", 25), ("(none)", 7)):
        shops.land("orders", f"{store}.csv", order("1001", price, store=store))
        shops.land("order_items", f"{store}.csv", line("1001", price, store=f" {store}"))
        shops.land("payments", f"{store}.csv", payment("1", "1001", price, store=store))

    settle(shops.session)

    query = "select store, orders, gross_sales::int from kpi.daily_store_sales order by all"
    assert shops.con.execute(query).fetchall() == [("de", 1, 10), ("fr", 1, 25), ("unknown", 1, 7)]
    query = "select payment_id, order_id, amount::int from gold.fact_payments order by all"
    assert shops.con.execute(query).fetchall() == [("1", "1001", 7), ("de:1", "de:1001", 10), ("fr:1", "fr:1001", 25)]
    assert verify(shops.session) is None


def test_a_payment_waits_for_the_order_of_its_store(shops):
    shops.land("payments", "fr.csv", payment("1", "1001", 25, store="fr"))
    shops.land("orders", "de.csv", order("1001", 10, store="de"))
    settle(shops.session)
    waiting = "select order_id, reason_codes from quarantine.payments"
    assert shops.con.execute(waiting).fetchall() == [("1001", ["order_id_missing_reference"])]

    shops.land("orders", "fr.csv", order("1001", 25, store="fr"))
    settle(shops.session)
    assert shops.con.execute("select order_id from silver.payments").fetchall() == [("fr:1001",)]

    shops.land("orders", "fr.csv", order("1002", 25, store="fr"))
    settle(shops.session)
    assert shops.con.execute(waiting).fetchall() == [("1001", ["order_id_missing_reference"])]
    assert verify(shops.session) is None


def test_the_lines_and_payments_of_a_deleted_order_wait_and_fail_no_day(shops):
    shops.land("orders", "a.csv", order("1", 10))
    shops.land("order_items", "a.csv", line("1", 10))
    shops.land("payments", "a.csv", payment("1", "1", 10))
    settle(shops.session)
    query = "select orders, gross_sales::int from kpi.daily_store_sales"
    assert shops.con.execute(query).fetchall() == [(1, 10)]

    shops.land("orders", "b.csv", {"order_id": "1", "updated_at": f"{START}T11:00:00Z", "is_deleted": "true"})
    settle(shops.session)

    assert shops.con.execute(query).fetchall() == []
    assert shops.con.execute("select count(*) from gold.fact_payments").fetchall() == [(0,)]
    assert shops.con.execute("select distinct state from ledger.days").fetchall() == [("stored",)]
    assert verify(shops.session) is None

    shops.land("orders", "b.csv", {"order_id": "2", "updated_at": f"{START}T11:00:00Z", "is_deleted": "true"})
    settle(shops.session)

    assert shops.con.execute(query).fetchall() == [(1, 10)]
    assert verify(shops.session) is None
