"""Changes of verdicts are recorded with their table-days, each once, and relayed to the store of alerts, each once."""

import datetime as dt
import sqlite3
from collections.abc import Callable
from pathlib import Path

import narwhals as nw
import pytest

from ecom_assets.alerting.events import Event, Key, Kind, Severity
from ecom_assets.alerting.store import AlertStore, open_store
from ecom_assets.contract import column, contract
from ecom_assets.declaration import declare
from ecom_assets.warehouse.ledger import schema, verdicts
from ecom_assets.warehouse.ledger.verdicts import changes_after
from ecom_assets.warehouse.proof import settle
from ecom_assets.warehouse.relay import Relay
from ecom_assets_tests.tiny_shop import Sales, TinyShop, days, on, open_shop, order, tables

pytestmark = pytest.mark.slow
NOW = dt.datetime(2024, 3, 5, tzinfo=dt.UTC)


class Killed(BaseException):
    """The process ends here."""


def changes(shop: TinyShop, after: int = 0) -> list[tuple[str, str, str]]:
    """Table, check and state of the changes of the second day."""
    return [
        (change.table, change.check, change.fault.state if change.fault else "good")
        for change in changes_after(shop.session.con, after)
        if change.day == on(1)
    ]


def break_day(shop: TinyShop) -> None:
    """An order above what gold takes: its day fails there, and all that reads it is blocked."""
    shop.land_orders(1, order(2, 1, amount=2000, version=1))


def mend_day(shop: TinyShop) -> None:
    shop.land_orders(1, order(2, 1, amount=30, version=2))


def test_good_days_record_nothing(shop: TinyShop) -> None:
    assert changes_after(shop.session.con, 0) == []


def test_a_verdict_is_recorded_when_it_changes_and_not_when_it_stays(shop: TinyShop) -> None:
    break_day(shop)
    settle(shop.session)
    found = changes(shop)
    assert [change for change in found if change[2] == "failed"] != []
    assert ("kpi.daily", "contract", "blocked") in found

    shop.run(days(0, 2))
    assert changes(shop) == found

    mend_day(shop)
    settle(shop.session)
    assert sorted(changes(shop, len(found))) == sorted((table, check, "good") for table, check, _ in found)
    assert verdicts.faults(shop.session.con) == {}


def test_a_change_says_rules_rows_and_inputs(shop: TinyShop) -> None:
    break_day(shop)
    settle(shop.session)

    failed = next(c for c in changes_after(shop.session.con, 0) if c.fault and c.fault.state == "failed")

    assert failed.fault
    assert list(failed.fault.rules.values()) == [1]
    assert len(failed.samples) == 1
    assert "2000" in failed.samples[0]
    assert set(failed.upstream) >= {read.table for read in shop.session.catalog[failed.table].reads}


class SalesOfSomebody(Sales, name="gold.sales"):
    """One row per order."""

    customer_id: str = column("Who placed it", personal=True)


def test_a_sample_shows_no_personal_value(tmp_path: Path) -> None:
    def transform(silver_orders: nw.LazyFrame) -> nw.LazyFrame:
        return silver_orders.select("order_id", "ordered_on", "amount", "customer_id")

    with open_shop(tmp_path, tables(declare(contract(SalesOfSomebody), transform))) as shop:
        shop.land_customers(0, "jane@example.com")
        shop.land_orders(0, order(1, 0, amount=2000, customer="jane@example.com"))
        settle(shop.session)
        [failed] = [change for change in changes_after(shop.session.con, 0) if change.table == "gold.sales"]

    assert failed.samples == (f"order_id = 1, ordered_on = {on(0)}, amount = 2000.0000, customer_id = (personal)",)


@pytest.mark.parametrize("step", ["ledger written", "before commit"])
def test_a_write_that_is_killed_before_its_commit_records_the_change_when_it_is_repeated(
    shop: TinyShop, step: str
) -> None:
    break_day(shop)

    def kill(at: str) -> None:
        if at == step and verdicts.last_change(shop.session.con):
            raise Killed

    shop.session.on_step = kill
    with pytest.raises(Killed):
        settle(shop.session)
    assert changes_after(shop.session.con, 0) == []

    shop.session.on_step = lambda at: None
    settle(shop.session)
    numbers = [change.number for change in changes_after(shop.session.con, 0)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(changes(shop)) == len(set(changes(shop))) > 1


def test_a_warehouse_of_earlier_code_knows_its_faults(shop: TinyShop) -> None:
    break_day(shop)
    settle(shop.session)
    known = verdicts.faults(shop.session.con)
    assert known
    number = next(n for n, text in enumerate(schema.MIGRATIONS) if "verdict_changes" in text)
    con = shop.session.con
    for table in ("verdict_changes", "outbox", "amount_changes", "codes"):
        con.execute(f"drop table ledger.{table}")
    con.execute("update ledger.facts set value = ? where name = 'schema_version'", [str(number)])

    schema.prepare(con)

    assert verdicts.faults(con) == known
    shop.run(days(0, 2))
    assert len(changes_after(con, 0)) == len(known)


# -- the relay


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "monitoring" / "alerts.sqlite"


def relayed(path: Path) -> list[Event]:
    with open_store(path) as store:
        rows = store.con.execute("select body from events order by seq").fetchall()
    return [Event.from_json(body) for (body,) in rows]


def test_each_change_is_relayed_once_however_often(shop: TinyShop, path: Path) -> None:
    relay = Relay(shop.session, path)
    relay.now(is_over=True)
    assert not path.exists()

    break_day(shop)
    settle(shop.session)
    for is_over in (False, False, True, True):
        relay.now(is_over=is_over)

    found = relayed(path)
    assert len(found) == len(changes_after(shop.session.con, 0)) == len({event.id for event in found})
    kinds = {event.key.table: (event.kind, event.severity) for event in found if event.key.check == "contract"}
    assert kinds["kpi.daily"] == (Kind.BLOCKED, Severity.ERROR)
    assert (Kind.FAILED, Severity.CRITICAL) in kinds.values()
    blocked = next(event for event in found if event.key.table == "kpi.daily")
    assert kinds[blocked.blocked_by]

    mend_day(shop)
    settle(shop.session)
    relay.now(is_over=True)
    with open_store(path) as store:
        last = store.last_number(verdicts.outbox_id(shop.session.con))
    assert last == len(relayed(path)) == verdicts.last_change(shop.session.con) > len(found)


@pytest.mark.parametrize(("amount", "waits"), [(10, True), (-1, False)])
def test_rows_that_only_wait_for_what_they_refer_to_are_relayed_as_such(
    shop: TinyShop, path: Path, amount: int, waits: bool
) -> None:
    shop.land_customers(0, "ann")
    shop.land_orders(1, *(order(number, 1) for number in range(20, 60)), order(60, 1, amount, customer="nobody yet"))
    settle(shop.session)
    Relay(shop.session, path).now(is_over=True)

    [missed] = [event for event in relayed(path) if event.key.table == "silver.orders" and event.kind is Kind.MISSED]

    assert missed.waits is waits


def test_changes_wait_in_the_warehouse_until_the_store_can_be_written(shop: TinyShop, path: Path) -> None:
    break_day(shop)
    settle(shop.session)
    path.parent.write_text("no folder")
    Relay(shop.session, path).now(is_over=True)

    path.parent.unlink()
    Relay(shop.session, path).now(is_over=True)

    assert len(relayed(path)) == len(changes_after(shop.session.con, 0))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_relay_that_is_killed_is_made_up_for(
    shop: TinyShop, path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    break_day(shop)
    settle(shop.session)
    add: Callable[..., int] = AlertStore.add

    def killed(self: AlertStore, *args: object, **named: object) -> int:
        if when == "after":
            add(self, *args, **named)
        raise Killed

    monkeypatch.setattr(AlertStore, "add", killed)
    with pytest.raises(Killed):
        Relay(shop.session, path).now(is_over=False)
    monkeypatch.setattr(AlertStore, "add", add)
    Relay(shop.session, path).now(is_over=True)

    found = relayed(path)
    assert len(found) == len(changes_after(shop.session.con, 0)) == len({event.id for event in found})
    with open_store(path) as store, pytest.raises(sqlite3.IntegrityError):
        store.con.execute("insert into events (id) values (?)", [found[0].id])


def test_a_warehouse_that_is_made_anew_ends_the_alerts_of_the_days_that_are_good_now(
    shop: TinyShop, path: Path
) -> None:
    break_day(shop)
    settle(shop.session)
    Relay(shop.session, path).now(is_over=True)
    shop.session.con.execute("delete from ledger.verdict_changes; update ledger.outbox set id = 'another'")
    mend_day(shop)
    shop.session._faults = None
    settle(shop.session)

    Relay(shop.session, path).now(is_over=True)

    with open_store(path) as store:
        assert store.failing() == []


def test_alerts_of_a_table_that_is_gone_are_over(shop: TinyShop, path: Path) -> None:
    with open_store(path) as store:
        event = Event("old-1", NOW, Key("contract", "kpi.retired", on(0)), Severity.CRITICAL)
        store.add([event], NOW)

    Relay(shop.session, path).now(is_over=True)

    with open_store(path) as store:
        assert store.failing() == []
