"""What is known at a cut-off day does not change with what arrives after it."""

import datetime as dt
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ecom_assets.days import Window
from ecom_assets.expressions.known import as_known, versions_at
from ecom_assets.features.customer_histories import transform as histories_of
from ecom_assets.features.known_survivors import KnownSurvivors
from ecom_assets.features.known_survivors import transform as survivors_at
from ecom_assets.landing.zone import Zone
from ecom_assets.silver.merge_versions import MergeVersions
from ecom_assets.silver.order_item_versions import OrderItemVersions
from ecom_assets.silver.order_versions import OrderVersions
from ecom_assets.silver.rate_versions import RateVersions
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.histories.rows import START, Item, Merge, Order, file_of
from ecom_assets_tests.samples import collected, days, run, sample
from ecom_assets_tests.warehouses import session_over

CUT_OFF = dt.date(2024, 3, 3)
DAYS = Window(START, START + dt.timedelta(days=12))
PREDICTED = "predictions.customer_value"


def land(zone: Zone, arrived: int, *rows: Any) -> None:
    for feed in {row.feed for row in rows}:
        of_feed = [row for row in rows if row.feed == feed]
        zone.write(feed, START + dt.timedelta(days=arrived), "a.csv", file_of(feed, "a.csv", of_feed))


def run_all(session: Session) -> None:
    needed = {*session.catalog.upstream(PREDICTED), PREDICTED}
    for name in session.catalog.names:
        if name in needed:
            session.run(name, DAYS)


def told(session: Session, table: str) -> list[Any]:
    return session.con.execute(f"from {table} where cut_off = ? order by all", [CUT_OFF]).fetchall()


def test_what_a_model_is_trained_on_is_what_had_arrived_by_then(tmp_path: Path):
    zone = Zone(tmp_path)
    land(zone, 0, Order(1, 0, customer=1), Item(1, "1", 0), Order(2, 0, customer=2), Item(2, "1", 0))
    land(zone, 1, Order(3, 1, customer=1), Item(3, "1", 1), Order(4, 1, customer=3), Item(4, "1", 1))
    session = session_over(zone)
    session.calendar = Window(START, dt.date.max)
    run_all(session)
    tables = ("features.customer_histories", "predictions.value_models", PREDICTED)
    before = {table: told(session, table) for table in tables}
    assert [len(rows) for rows in before.values()] == [3, 4, 3]

    late, future = Order(5, 1, customer=2), Order(6, 6, customer=1)
    label = Order(4, 1, version=1, customer=3, cancelled_for="fraud")
    land(zone, 6, late, Item(5, "1", 1), label, Item(3, "1", 1, version=1, units="9"), Merge(3, 2, on=1))
    land(zone, 7, future, Item(6, "1", 6))
    run_all(session)

    assert {table: told(session, table) for table in tables} == before
    assert session.con.execute("select count(*) from features.customer_histories").fetchall() == [(5,)]


def order(arrived: int, number: str, **more: Any) -> dict[str, Any]:
    at = dt.date(2024, 1, arrived)
    known = {
        "ordered_on": at,
        "updated_at": f"{at} 10:00",
        "customer_id": "C",
        "status": "paid",
        "currency": None,
        "is_retracted": False,
    }
    amounts = {"discount": "0", "shipping": "0", "tax": "0", "is_taxed": False, "rate": None}
    return {"arrived_on": at, "order_id": number, **known, **amounts, **more}


def line(arrived: int, number: str, price: str, **more: Any) -> dict[str, Any]:
    at = dt.date(2024, 1, arrived)
    known = {"arrived_on": at, "order_id": number, "line_number": 1, "ordered_on": at, "updated_at": f"{at} 10:00"}
    return {**known, "quantity": "1", "unit_price": price, "discount": "0", "is_retracted": False, **more}


def histories(orders: list[Any], lines: list[Any], rates: list[Any] = (), merged: list[Any] = (), on: int = 28) -> Any:
    made = run(
        histories_of,
        sample(OrderVersions, *orders),
        sample(OrderItemVersions, *lines),
        sample(RateVersions, *rates),
        sample(KnownSurvivors, *merged),
        days(dt.date(2024, 1, on)),
    )
    return collected(made).rows(named=True)


def test_a_history_counts_days_with_an_order():
    orders = [order(1, "A"), order(1, "B"), order(11, "C"), order(21, "D", status="cancelled")]
    lines = [line(1, "A", "10"), line(1, "B", "20"), line(11, "C", "50"), line(21, "D", "99")]

    (row,) = histories(orders, lines)

    assert (row["repeat_orders"], row["last_order_age"], row["age"]) == (1, 10, 27)
    assert (row["mean_value"], row["mean_repeat_value"], row["value"], row["orders_in_period"]) == (40, 50, 80, 1)


def test_values_are_without_tax_and_shipping_and_in_the_shops_currency():
    rate = {"arrived_on": "2024-01-01", "currency": "NOK", "rate_on": "2024-01-01", "rate": "0.1"}
    deleted = {**rate, "rate_on": "2024-01-02", "rate": None}
    orders = [
        order(1, "A", customer_id="taxed", is_taxed=True, shipping="20", tax="20"),
        order(2, "B", customer_id="foreign", currency="NOK"),
        order(9, "C", customer_id="without a rate", currency="NOK"),
        order(9, "D", customer_id="own rate", currency="SEK", rate="0.5"),
    ]
    lines = [line(1, "A", "100", discount="20"), line(2, "B", "30"), line(9, "C", "30"), line(9, "D", "30")]

    values = {row["customer_id"]: row["value"] for row in histories(orders, lines, [rate, deleted])}

    assert values == {"taxed": 64, "foreign": 3, "without a rate": 0, "own rate": 15}


def test_a_merged_customer_is_one():
    merged = {"cut_off": "2024-01-28", "customer_id": "old", "survivor": "C"}
    orders = [order(1, "A", customer_id="old"), order(11, "B")]

    (row,) = histories(orders, [line(1, "A", "1"), line(11, "B", "1")], merged=[merged])

    assert (row["customer_id"], row["repeat_orders"]) == ("C", 1)


def test_only_weeks_that_end_have_histories():
    assert histories([order(1, "A")], [], on=31) == []


def test_a_merge_is_known_from_its_arrival_on():
    merge = {"customer_id": "A", "merged_into": "B", "merged_at": "2024-01-02 10:00", "is_undone": False}
    undone = {**merge, "merged_at": "2024-01-20 10:00", "merged_into": None, "is_undone": True}
    known = sample(MergeVersions, {**merge, "arrived_on": "2024-01-07"}, {**undone, "arrived_on": "2024-01-21"})
    at = pl.DataFrame({"day": [dt.date(2024, 1, day) for day in (6, 7, 14, 21)]})

    assert survivors_at(collected(known), at)["cut_off"].to_list() == [dt.date(2024, 1, 7), dt.date(2024, 1, 14)]


_arrivals = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=12, unique_by=lambda v: v[0])


@given(_arrivals, st.integers(0, 9))
def test_the_version_that_counts_is_the_best_that_had_arrived(arrivals: list[tuple[int, int]], on: int):
    day = dt.date(2024, 1, 1)
    rows = [{"key": "K", "arrived_on": day + dt.timedelta(days=a), "version": v} for a, v in arrivals]
    cut_off = day + dt.timedelta(days=on)
    best = max(
        (row for row in rows if row["arrived_on"] <= cut_off),
        default=None,
        key=lambda r: (r["version"], r["arrived_on"]),
    )

    found = as_known(
        nw.from_native(pl.LazyFrame(rows)),
        nw.from_native(pl.LazyFrame({"cut_off": [cut_off]})),
        key=["key"],
        order=["version"],
    )

    expected = pl.DataFrame(
        [{**best, "cut_off": cut_off}] if best else [],
        schema=found.collect_schema().to_polars() if best is None else None,
    )
    assert_frame_equal(found.collect().to_native(), expected, check_column_order=False)


_VERSIONS = st.lists(
    st.tuples(st.sampled_from("AB"), st.integers(0, 9), st.none() | st.integers(0, 3)),
    min_size=1,
    max_size=12,
    unique_by=lambda version: version[:2],
)


@given(_VERSIONS, st.integers(0, 9))
def test_versions_at_a_day_are_those_known_on_it(versions: list[tuple[str, int, int | None]], on: int):
    day = dt.date(2024, 1, 1)
    arrived = {"key": pl.String, "arrived": pl.Int64, "version": pl.Int64}
    rows = pl.DataFrame(versions, arrived, orient="row").select(
        "key", "version", arrived_on=pl.lit(day) + pl.duration(days="arrived")
    )
    cut_off = day + dt.timedelta(days=on)
    at = nw.from_native(pl.LazyFrame({"cut_off": [cut_off]}))

    known = as_known(nw.from_native(rows.lazy()), at, key=["key"], order=["version"]).collect().to_native()

    found = versions_at(cut_off, rows, "key", order=("version",))
    assert_frame_equal(found, known.drop("cut_off"), check_row_order=False, check_column_order=False)
