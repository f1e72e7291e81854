"""Goods sold by weight: sales, refunds and stock are those of an account in Python's decimals."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ecom_assets.days import ONE_DAY, Window
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.landing.zone import Zone
from ecom_assets.warehouse.proof import settle
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.examples import examples
from ecom_assets_tests.warehouses import START, session_over, upstream_of

GOALS = ["kpi.daily_product_sales", "kpi.daily_sales", "kpi.daily_inventory", "kpi.daily_stock_reconciliation"]
DAYS = 2
LAST = START + (DAYS - 1) * ONE_DAY
CENT = Decimal("0.01")
AT = f"{START}T10:00:00Z"

Line = tuple[Decimal, Decimal, Decimal | None]
"""Quantity, price of a unit, and the quantity that came back."""
Movement = tuple[int, str, Decimal]
"""Day, kind and units without a sign."""

_positive = st.decimals("0.0001", 50, places=4) | st.integers(1, 50).map(Decimal)
_lines = st.lists(st.tuples(_positive, st.decimals(0, 500, places=4), st.none() | _positive), min_size=1, max_size=12)
_movements = st.lists(
    st.tuples(st.integers(0, DAYS - 1), st.sampled_from(["opening", "receipt", "return", "sale"]), _positive),
    min_size=1,
    max_size=12,
)


@contextmanager
def open_shop(folder: Path, goals: Sequence[str], **feed_settings: int) -> Iterator[Session]:
    """A session over an empty landing zone, for the tables that lead to some."""
    tables = upstream_of(*goals)
    zone = Zone(folder)
    for feed in tables.feeds:
        zone.save_settings(feed, FeedSettings(due=frozenset(), **feed_settings))
    session = session_over(zone, tables=tables)
    yield session
    session.con.close()


def land(session: Session, feed: str, rows: Iterable[Mapping[str, object]], on: dt.date = START) -> None:
    listed = list(rows)
    lines = [list(listed[0]), *(row.values() for row in listed)] if listed else []
    session.zone.write(feed, on, "rows.csv", "".join(",".join(map(str, line)) + "\n" for line in lines).encode())


def line(number: int, quantity: object, price: object) -> dict[str, object]:
    of = {"order_id": "1", "line_number": number, "product_id": "P", "ordered_at": AT, "updated_at": AT}
    return {**of, "quantity": quantity, "unit_price": price, "discount": 0}


def order(total: object) -> dict[str, object]:
    amounts = {"discount": 0, "shipping": 0, "tax": 0, "total": total}
    return {"order_id": "1", "ordered_at": AT, "updated_at": AT, "status": "paid", "channel": "web", **amounts}


def refund(number: int, quantity: object) -> dict[str, object]:
    of = {"return_id": number, "order_id": "1", "product_id": "P", "returned_at": AT, "updated_at": AT}
    return {**of, "channel": "web", "quantity": quantity, "amount": 1, "shipping": 0, "tax": 0}


def movement(number: int, day: int, kind: str, units: Decimal) -> dict[str, object]:
    moved = {"movement_id": number, "product_id": "P", "moved_at": f"{START + day * ONE_DAY}T10:00:00Z"}
    return {**moved, "kind": kind, "quantity": -units if kind == "sale" else units}


def charged(quantity: Decimal, price: Decimal) -> Decimal:
    product = quantity * price
    return product if quantity == int(quantity) else product.quantize(CENT, ROUND_HALF_UP)


@pytest.mark.slow
@settings(max_examples=examples(3), deadline=None)
@given(_lines, _movements, st.decimals("0.01", 20, places=4))
@example(
    [(Decimal("0.75"), Decimal(10), Decimal("0.25"))],
    [(0, "opening", Decimal("1.5")), (1, "sale", Decimal("0.3"))],
    CENT,
)
def test_fractions_of_a_unit_are_sold_refunded_and_stocked(
    lines: list[Line], movements: list[Movement], cost: Decimal
) -> None:
    total = sum(charged(quantity, price) for quantity, price, _ in lines)
    with TemporaryDirectory() as folder, open_shop(Path(folder), GOALS) as session:
        land(session, "products", [{"product_id": "P", "changed_at": AT, "price": 1, "cost": cost}])
        land(session, "orders", [order(total)])
        land(session, "order_items", (line(n, quantity, price) for n, (quantity, price, _) in enumerate(lines, 1)))
        land(session, "returns", (refund(n, back) for n, (*_, back) in enumerate(lines) if back))
        land(session, "inventory_movements", (movement(n, *moved) for n, moved in enumerate(movements)), LAST)
        settle(session)

        query = "select units, gross_sales, returned_units, cost from gold.agg_product_performance"
        assert session.con.execute(query).fetchall() == [
            (
                sum(quantity for quantity, *_ in lines),
                total,
                sum(back for *_, back in lines if back),
                sum(charged(quantity, cost) for quantity, *_ in lines),
            )
        ]
        stock = dict.fromkeys(range(min(day for day, *_ in movements), DAYS), Decimal(0))
        for moved_on, kind, units in movements:
            for day in range(moved_on, DAYS):
                stock[day] += -units if kind == "sale" else units
        query = "select day, on_hand, stock_value from gold.fact_inventory_daily order by day"
        expected = [(START + day * ONE_DAY, on_hand, charged(on_hand, cost)) for day, on_hand in stock.items()]
        assert session.con.execute(query).fetchall() == expected
        bad = "select table_name, day, note from ledger.days where state in ('failed', 'blocked')"
        assert session.con.execute(bad).fetchall() == []


def test_quantities_that_were_floats_are_rounded_to_four_decimals_whatever_amounts_are(tmp_path: Path) -> None:
    with open_shop(tmp_path, ["silver.order_items"], round_amounts=2) as session:
        land(session, "products", [{"product_id": "P", "changed_at": AT, "price": 1}])
        land(session, "orders", [order(1)])
        land(session, "order_items", [line(1, "0.30000000000000004", "2.675"), line(2, "0.125", "1.5")])
        days = Window(START, START)
        [told] = [session.run(name, days)[0].warned for name in session.catalog.names][-1:]

        query = "select quantity, unit_price from silver.order_items order by line_number"
        assert session.con.execute(query).fetchall() == [
            (Decimal("0.3"), Decimal("2.68")),
            (Decimal("0.125"), Decimal("1.5")),
        ]
        rounded = (
            "Amounts have no more decimals than round_amounts in feeds.toml allows, nor quantities more than four."
        )
        assert told.get(rounded) == 2
