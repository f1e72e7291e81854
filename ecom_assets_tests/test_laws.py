"""The laws that hold for all tables at once."""

import datetime as dt
import json
import random
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import narwhals as nw
import pytest

from ecom_assets import catalog
from ecom_assets.days import ONE_DAY, Window
from ecom_assets.landing.zone import Zone
from ecom_assets.warehouse.proof import contents, settle
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.warehouses import START, run_all, session_over, small_shop, upstream_of, window

pytestmark = pytest.mark.slow
DAYS, SEED = 9, 28
"""A shop that has all that makes the laws hard, as a test says."""


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Zone:
    return small_shop(tmp_path_factory.mktemp("landing"), DAYS, SEED)


@pytest.fixture(scope="module")
def built(zone: Zone) -> Session:
    """A warehouse built in one window."""
    session = session_over(zone)
    run_all(session, window(DAYS))
    settle(session)
    return session


CONSERVING = [declaration.name for declaration in catalog.tables() if declaration.conserved]
"""The tables whose amounts are held against what they are made of, day by day."""


@pytest.mark.parametrize("name", CONSERVING)
def test_an_amount_that_goes_astray_is_noticed(built: Session, name: str) -> None:
    declaration = built.catalog[name]
    assert declaration.conserved is not None
    frames = {str(read.parameter): nw.from_native(built.con.table(read.table)) for read in declaration.conserved_reads}
    day = declaration.contract.partition_column
    amounts = [column for column in declaration.conserved(**frames).columns if column != day]

    for amount in amounts:
        wrong = f"select * replace ({amount} + 1 as {amount}) from {name}"
        found = built.con.sql(str(built.unconserved(declaration, wrong, window(DAYS)))).fetchall()
        assert {column for _, column, *_ in found} == {amount}


def _one(session: Session, query: str) -> int:
    return int(session.con.execute(query).fetchall()[0][0])


def test_the_generated_data_holds_what_makes_the_laws_hard(built: Session):
    late = "select count(*) from bronze.orders where event_on < arrived_on"
    very_late = "select count(*) from bronze.orders where event_on < arrived_on - 2"
    ties = (
        "select count(*) from (select order_id from bronze.orders group by order_id, updated_at, arrived_on "
        "having count(*) > 1)"
    )
    moved = "select count(*) from ledger.moves where table_name = 'bronze.orders'"
    over_midnight = "select count(*) from silver.sessions where ended_at::date > started_on"
    duplicates = "select count(*) from superseded.events where kind = 'duplicate'"
    superseded = "select count(*) from superseded.orders where kind = 'superseded'"
    waiting = "select count(*) from quarantine.orders"
    for query in (late, very_late, ties, moved, over_midnight, duplicates, superseded, waiting):
        assert _one(built, query) > 0, query
    quiet = START + 4 * ONE_DAY
    assert _one(built, f"select count(*) from silver.orders where ordered_on = date '{quiet}'") == 0
    assert _one(built, f"select count(*) from ledger.days where day = date '{quiet}' and row_count = 0") > 0


@pytest.mark.parametrize("days", [3, pytest.param(DAYS, marks=pytest.mark.long)])
def test_a_window_gives_what_its_days_give_one_by_one_in_any_order(tmp_path: Path, days: int):
    zone = small_shop(tmp_path, days, SEED)
    at_once, day_by_day = session_over(zone), session_over(zone)
    run_all(at_once, window(days))
    shuffled = list(window(days))
    random.Random(3).shuffle(shuffled)
    for day in shuffled:
        run_all(day_by_day, Window(day, day))
    settle(day_by_day)

    assert contents(day_by_day) == contents(at_once)


BERLIN = ZoneInfo("Europe/Berlin")
GOALS = ["kpi.daily_carts", "kpi.attribution"]


def bought_late(noon: dt.datetime) -> Iterator[tuple[str, dt.datetime, dict[str, str]]]:
    """Carts of a day from a noon, each bought 23 hours and 40 minutes later, and a visitor who stays."""
    yield "products", noon, {"product_id": "P", "changed_at": noon.isoformat(), "price": "10"}
    yield "customers", noon, {"customer_id": "C", "changed_at": noon.isoformat()}
    for n in range(60):
        added = noon + n * dt.timedelta(minutes=25)
        paid = added + dt.timedelta(hours=23, minutes=40)
        at, then, customer = added.isoformat(), paid.isoformat(), "C" if n % 5 == 0 else ""
        visit = {"anonymous_id": f"V{n}", "cart_id": f"K{n}", "order_id": f"O{n}", "customer_id": customer}
        order = {"order_id": f"O{n}", "ordered_at": then, "updated_at": then, "discount": "0"}
        of_order = {"customer_id": customer, "status": "paid", "channel": "web", "shipping": "0", "tax": "0"}
        line = {"line_number": "1", "product_id": "P", "quantity": "1", "unit_price": "10"}
        yield "events", added, {"event_id": f"{n}a", "event": "Product Added", "occurred_at": at, **visit}
        yield "events", added, {"event_id": f"{n}b", "event": "Cart Viewed", "occurred_at": at, "anonymous_id": "stays"}
        yield "events", paid, {"event_id": f"{n}c", "event": "Order Completed", "occurred_at": then, **visit}
        yield "orders", paid, {**order, **of_order}
        yield "order_items", paid, {**order, **line}


@pytest.mark.parametrize(
    "change",
    [pytest.param(dt.date(2024, 3, 31), marks=pytest.mark.long), dt.date(2024, 10, 27)],
    ids=["forward", "back"],
)
def test_over_a_change_of_clocks_a_window_gives_what_its_days_give(tmp_path: Path, change: dt.date):
    first = change - ONE_DAY
    noon = dt.datetime.combine(first, dt.time(12), BERLIN).astimezone(dt.UTC)
    files: dict[tuple[str, dt.date], str] = {}
    for feed, moment, record in bought_late(noon):
        file = feed, moment.astimezone(BERLIN).date()
        files[file] = files.get(file, "") + json.dumps(record) + "\n"
    zone = Zone(tmp_path)
    for (feed, day), text in files.items():
        zone.write(feed, day, "all.jsonl", text.encode())
    tables = upstream_of(*GOALS)
    at_once, day_by_day = (session_over(zone, tables=tables, time_zone=BERLIN.key) for _ in range(2))
    run_all(at_once, window(3, first))
    for table in tables.names:
        for day in window(3, first):
            day_by_day.run(table, Window(day, day))

    assert contents(day_by_day) == contents(at_once)
    assert _one(at_once, "select sum(carts) from kpi.daily_carts") == 60
    assert _one(at_once, "select sum(abandoned_carts) from kpi.daily_carts") == 0
    assert _one(at_once, "select sum(orders) from kpi.attribution where model = 'last' and channel <> 'unknown'") == 60


def test_a_window_of_many_rows_is_written_in_parts_and_gives_the_same(
    zone: Zone, built: Session, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ecom_assets.warehouse.session.PART_ROWS", 500)
    in_parts, commits = session_over(zone), []
    in_parts.on_step = lambda step: commits.append(step) if step == "after commit" else None
    run_all(in_parts, window(DAYS))

    assert len(commits) > len(in_parts.catalog)
    settle(in_parts)
    assert contents(in_parts) == contents(built)


def test_days_apart_are_written_at_once_without_those_between_and_give_the_same(zone: Zone, built: Session):
    apart, commits = session_over(zone), []
    apart.on_step = lambda step: commits.append(step) if step == "after commit" else None
    some = [day for day in window(DAYS) if day.day % 3 == 1]
    for table in apart.catalog.names:
        results = apart.run(table, Window.of(some))
        assert [result.day for result in results] == some
        apart.run(table, Window.of(set(window(DAYS)) - set(some)))

    assert len(commits) == 2 * len(apart.catalog)
    settle(apart)
    assert contents(apart) == contents(built)


def test_running_a_window_again_changes_nothing(built: Session):
    before = contents(built)

    run_all(built, Window(START + ONE_DAY, START + 3 * ONE_DAY))

    assert contents(built) == before
    assert built.stale() == []


def test_each_bronze_row_ends_in_exactly_one_place(built: Session):
    for declaration in built.catalog:
        if declaration.from_feed:
            fates = " union all ".join(
                f"select arrived_on, source_file, record from {table}"
                for table in (declaration.name, declaration.quarantine, declaration.superseded)
            )
            everywhere = f"select arrived_on, source_file, record from {declaration.bronze}"
            assert _one(built, f"select count(*) from ({everywhere} except all ({fates}))") == 0, declaration.name
            assert _one(built, f"select count(*) from (({fates}) except all {everywhere})") == 0, declaration.name


def test_amounts_come_from_bronze_as_they_are(built: Session):
    for declaration in built.catalog:
        if not declaration.from_feed:
            continue
        for column in declaration.feed_contract.columns.values():
            if column.kind == "decimal":
                sent = f"select sum(try_cast({column.name} as decimal(18, 4))) from {declaration.bronze}"
                elsewhere = " union all ".join(
                    f"select arrived_on, source_file, record from {table}"
                    for table in (declaration.quarantine, declaration.superseded)
                )
                aside = f"{sent} semi join ({elsewhere}) using (arrived_on, source_file, record)"
                kept = f"select sum({column.name}) from {declaration.name}"
                lost = f"select (coalesce(({sent}), 0) - coalesce(({aside}), 0) - coalesce(({kept}), 0)) <> 0"
                assert not _one(built, lost), f"{declaration.name}.{column.name}"


def test_an_empty_day_gives_typed_empty_tables(tmp_path):
    session = session_over(Zone(tmp_path))
    for feed in ("customers", "orders"):
        session.zone.write(feed, START, "nothing.csv", b"order_id,customer_id\n")

    results = run_all(session, window(1))

    assert results["silver.orders"][0].row_count == 0
    assert session.con.execute("select gross_sales from gold.fact_sales").fetchall() == []
    assert {result[0].state.is_good for result in results.values()} == {True}
