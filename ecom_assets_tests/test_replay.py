"""Rows that were set aside come back through the same door, once."""

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from ecom_assets import catalog
from ecom_assets.contract import contract
from ecom_assets.days import ONE_DAY
from ecom_assets.declaration import Catalog
from ecom_assets.landing.zone import Zone
from ecom_assets.silver import orders
from ecom_assets.warehouse.proof import contents, settle
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.warehouses import START, run_all, session_over, small_shop, window

HEADER = (
    "order_id,customer_id,ordered_at,updated_at,status,cancel_reason,channel,country,"
    "subtotal,discount,shipping,tax,total"
)
BAD, GOOD = "lost", "placed"
SALES = "gold.fact_sales"
pytestmark = pytest.mark.slow


def order(number: int, status: str, updated: str = "10:00", total: str = "13") -> str:
    return f"X{number},,{START}T10:00:00Z,{START}T{updated}:00Z,{status},,web,DE,10,0,2,1,{total}"


def land(zone: Zone, name: str, *lines: str, day: dt.date = START) -> None:
    zone.write("orders", day, name, "\n".join([HEADER, *lines, ""]).encode())


def rows(session: Session, query: str) -> list[Any]:
    return session.con.execute(query).fetchall()


def standing(session: Session) -> list[str]:
    return [key for (key,) in rows(session, "select order_id from silver.orders where order_id like 'X%' order by all")]


def set_aside(session: Session) -> list[str]:
    query = "select order_id from quarantine.orders where order_id like 'X%' order by all"
    return [key for (key,) in rows(session, query)]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A small shop of two days up to its sales, with two bad orders more."""
    zone = small_shop(tmp_path, 2)
    land(zone, "extra.csv", *(order(n, GOOD) for n in range(1, 40)), *(order(n, BAD) for n in (97, 98)))
    tables = catalog.tables()
    session = session_over(zone, tables=Catalog(tables[name] for name in (SALES, *tables.upstream(SALES))))
    run_all(session, window(2))
    settle(session)
    assert set_aside(session) == ["X97", "X98"]
    return session


def changes_nothing_when_replayed(session: Session) -> None:
    before = contents(session)
    run_all(session, window(2))
    assert session.stale() == []
    assert contents(session) == before


def test_rows_of_a_corrected_file_come_back_once(session: Session) -> None:
    land(session.zone, "extra.csv", *(order(n, GOOD) for n in (*range(1, 40), 97, 98)))
    settle(session)

    assert set_aside(session) == []
    assert standing(session).count("X97") == standing(session).count("X98") == 1
    assert rows(session, "select count(*) from gold.fact_sales where order_id = 'X97'") == [(0,)]
    changes_nothing_when_replayed(session)


def test_a_corrected_row_that_is_sent_again_comes_in_once_and_the_bad_one_stays_listed(session: Session) -> None:
    land(session.zone, "again.csv", order(97, GOOD, updated="11:00"), day=START + ONE_DAY)
    settle(session)

    assert standing(session).count("X97") == 1
    assert set_aside(session) == ["X97", "X98"]
    changes_nothing_when_replayed(session)

    land(session.zone, "again-twice.csv", order(97, GOOD, updated="11:00") + " ", day=START + ONE_DAY)
    settle(session)
    assert standing(session).count("X97") == 1
    assert rows(session, "select kind from superseded.orders").count(("duplicate",)) >= 1


def test_rows_come_back_once_when_a_rule_changes(session: Session) -> None:
    class Lenient(orders.Orders, name="silver.orders"):
        """One row per order, in its latest valid state, lost ones too."""

        status: str = orders.column("Where it stands", isin=[*orders.feed.STATUSES, BAD])

    changed = Catalog(
        dataclasses.replace(d, contract=contract(Lenient)) if d.name == "silver.orders" else d for d in session.catalog
    )
    later = Session(session.con, changed, session.zone, session.calendar)
    settle(later)

    assert set_aside(later) == []
    assert [standing(later).count(key) for key in ("X97", "X98")] == [1, 1]
    changes_nothing_when_replayed(later)
