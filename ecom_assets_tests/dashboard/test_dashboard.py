"""The dashboard over a small published shop: what charts answer, and what a browser shows of it."""

import csv
import datetime as dt
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ecom_assets import catalog
from ecom_assets.dashboard import figures, markup, reading, texts
from ecom_assets.dashboard.answers import Answer, Published, answer, nothing, published
from ecom_assets.dashboard.declared import Dimension, Form
from ecom_assets.dashboard.definitions import definitions
from ecom_assets.dashboard.filters import Compared, Filters
from ecom_assets.dashboard.pages import CHARTS, PAGES
from ecom_assets.dashboard.reading import Reader
from ecom_assets.days import Window
from ecom_assets.landing.zone import Zone
from ecom_assets.publishing.snapshot import publish
from ecom_assets.serving.published_tables import VIEWS
from ecom_assets.serving.report import MEASURES, report
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.shop.shop import Shop
from ecom_assets.sources.synthetic import land_shop
from ecom_assets.sql import connect
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.warehouses import SMALL, run_all, window

DAYS = window(6, dt.date(2024, 2, 26))
"""With the end of a month among them, and a day without orders: the fifth."""
LAST_TWO = Filters(own=Window(dt.date(2024, 3, 1), dt.date(2024, 3, 2)))
ALL = Filters(days=0)
DECIDES_ONLY = "gold.fact_returns"
"""Read to see whether returns name their orders; its amounts are in no chart."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The snapshot of a small shop."""
    folder = tmp_path_factory.mktemp("shop")
    zone = Zone(folder / "landing")
    land_shop(zone, Shop(DAYS.first, seed=11, preset=SMALL), DAYS)
    with connect() as con:
        con.execute("set TimeZone = 'UTC'")
        session = Session(con, catalog.tables(), zone, Window(DAYS.first, dt.date.max))
        run_all(session, DAYS)
        publish(session, folder / "snapshot.duckdb")
    with duckdb.connect(folder / "snapshot.duckdb") as con:
        for table, rows in predicted().items():
            for row in rows:
                names, places = ", ".join(row), ", ".join("?" * len(row))
                con.execute(f"insert into {table} ({names}) values ({places})", list(row.values()))
    return folder / "snapshot.duckdb"


def predicted() -> dict[str, list[dict[str, Any]]]:
    """Rows of predictions, of which six days have none: of a Thursday and a Saturday in place of Sundays."""
    first, last = dt.date(2024, 2, 29), DAYS.last
    week = {"expected": 10.5, "low": 8.0, "high": 12.0, "actual": 9.0}
    tenths = [{"tenth": n, "count": 3, "predicted": n / 7, "actual": n / 9} for n in (1, 5, 10)]
    curve = json.dumps([{"length": n, "precision": 0.5, "recall": n / 9} for n in (1, 5)])
    fit = {"cut_off": last, "subject": "customer_value", "measure": "rmse"}
    return {
        "predictions.customer_value": [
            {
                "cut_off": cut_off,
                "customer_id": f"C{n}",
                "days_until_overdue": n - 3,
                "expected_value_365d": 7.25 * n,
            }
            for cut_off in (first, last)
            for n in range(12)
        ],
        "predictions.weekly_calibration": [
            {"cut_off": cut_off, "subject": subject, **week}
            for subject, cut_off in (
                ("customer_value", first),
                ("customer_value", last),
                ("demand_forecasts", first),
                ("demand_forecasts", last),
            )
        ],
        "predictions.reorder_points": [
            {
                "cut_off": last,
                "product_id": f"P{n}",
                "category": "abc"[n % 3],
                "suggested_units": 2.5 * n,
                "excess_value": 1.25 + n,
            }
            for n in range(20, 0, -1)
        ],
        "predictions.registry": [
            {**fit, "model": "steady_rate", "role": "floor", "score": 2.0},
            {**fit, "model": "nbd", "role": "challenger", "score": 1.5},
            {**fit, "model": "pareto_nbd", "role": "champion", "champion_since": last, "score": 1.0},
        ],
        "predictions.value_scores": [
            {"period_end": last, "model": "steady_rate", "rmse": 0.5, "tenths": json.dumps(tenths[:1])},
            {"period_end": last, "model": "nbd", "rmse": 2.0, "tenths": json.dumps(tenths)},
            {"period_end": last, "model": "pareto_nbd", "rmse": 1.0, "tenths": json.dumps(tenths[1:])},
        ],
        "predictions.basket_scores": [
            {"period_end": last, "model": model, "by_length": curve} for model in ("blend", "popular")
        ],
    }


@dataclass
class Shown:
    """A snapshot, whose charts can be asked."""

    path: Path

    def answers(self, *names: str, filters: Filters = ALL) -> dict[str, Answer]:
        with open_snapshot(self.path) as con:
            about = published(con)
            return {name: answer(con, about, CHARTS[name], filters) for name in names or CHARTS}

    def answer(self, name: str, filters: Filters = ALL) -> Answer:
        return self.answers(name, filters=filters)[name]

    def about(self) -> Published:
        with open_snapshot(self.path) as con:
            return published(con)

    def rows(self, query: str) -> list[Any]:
        with open_snapshot(self.path) as con:
            return con.execute(query).fetchall()

    def change(self, *statements: str) -> "Shown":
        """Changes the rows as a new snapshot would have them."""
        with duckdb.connect(self.path) as con:
            for statement in statements:
                con.execute(statement)
        return self


@pytest.fixture
def shop(built: Path, tmp_path: Path) -> Shown:
    """A copy of the snapshot, which may be changed."""
    return Shown(Path(shutil.copy(built, tmp_path / "snapshot.duckdb")))


def html(found: Answer, about: Published | None) -> str:
    named = {found.chart.name: definitions(found.chart)}
    if found.chart.form is Form.SPARK:
        return markup.tiles([found], about, named)
    return markup.head(found) + markup.legend(found) + markup.foot(found, about, named[found.chart.name])


def values(found: Answer) -> dict[tuple[Any, ...], Decimal | None]:
    """Each value by its group and, where there are several, its series."""
    several = len(found.chart.series) > 1
    return {(*row.key, *([row.series.name] if several else [])): row.value.exact for row in found.rows}


def shows(found: Answer) -> Any:
    """All figures of an answer."""
    return [(row.key, row.series.name, row.value) for row in found.rows], found.total, found.lacks


def test_there_are_five_pages_with_enough_charts_and_every_measure_of_the_report() -> None:
    assert len(PAGES) == 5
    assert sum(len(page.charts) for page in PAGES.values()) >= 16
    assert {chart.title for chart in PAGES["today"].tiles} == {measure.name for measure in MEASURES}
    assert all(definitions(chart) for chart in CHARTS.values())


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("net_sales_by_day", "select day, sum(net_sales) from kpi.daily_sales group by day"),
        ("orders", "select day, sum(orders) from kpi.daily_sales group by day"),
        ("net_sales_by_category", "select category, sum(net_sales) from kpi.daily_category_sales group by all"),
        ("mer_by_day", "select day, mer from kpi.daily_acquisition"),
        ("customer_acquisition_cost", "select day, cac from kpi.daily_acquisition"),
        ("on_time_by_day", "select day, on_time_shipping from kpi.daily_fulfilment"),
        ("returning_customers", "select day, returning_customer_rate from kpi.daily_customers"),
        ("days_between_orders", "select day, median_days_between_orders from kpi.daily_customers"),
        ("cohort_retention", "select cohort, month_offset, retention_rate from kpi.monthly_cohorts"),
        ("cohort_value", "select cohort, month_offset, net_sales_per_customer from kpi.monthly_cohorts"),
        ("days_of_supply", f"select category, days_of_supply from kpi.daily_inventory where day = '{DAYS.last}'"),
        (
            "stock_outs",
            "select day, sum(stock_outs) / sum(products) from kpi.daily_inventory group by day",
        ),
        (
            "attribution_models",
            "select channel, model, sum(revenue) from kpi.attribution group by all",
        ),
        (
            "rfm_map",
            "select frequency_score, recency_score, count(*) from kpi.customer_rfm "
            "where snapshot_on = '2024-02-29' group by all",
        ),
        (
            "spend_by_day",
            "select day, channel, sum(spend) from kpi.daily_marketing group by all",
        ),
        (
            "quality_by_layer",
            "select day, split_part(table_name, '.', 1), sum(rows_passed) / nullif(sum(rows_checked), 0) "
            "from kpi.daily_quality group by all",
        ),
        (
            "customers_at_risk",
            "select cut_off, count(*) from predictions.customer_value where days_until_overdue < 0 group by all",
        ),
        (
            "units_forecast",
            "select cut_off, name, value from (unpivot (select cut_off, low as 'Lower end', expected as "
            "'Units expected', high as 'Upper end', actual as 'Units that came' from predictions.weekly_calibration "
            "where subject = 'demand_forecasts') on columns(* exclude cut_off) into name name value value)",
        ),
        (
            "products_to_reorder",
            "select product_id, suggested_units from predictions.products_to_reorder order by 2 desc limit 15",
        ),
        ("excess_stock", "select category, sum(excess_value) from predictions.reorder_points group by all"),
        ("orders_to_review", "select order_id, round(chance, 6) from predictions.orders_to_review where rank <= 15"),
        ("models_beside_floors", "values ('value: nbd', 0.25), ('value: pareto_nbd', 0.5)"),
        (
            "orders_by_tenth",
            "values ('came', 5, 0.555556), ('came', 10, 1.111111), ('predicted by pareto_nbd', 5, 0.714286), "
            "('predicted by pareto_nbd', 10, 1.428571), ('predicted by the floor', 5, 0.142857), "
            "('predicted by the floor', 10, 0.142857)",
        ),
        (
            "gain",
            "values ('steady_rate', 10, 1.0), ('nbd', 1, 0.625), ('nbd', 6, 0.9375), ('nbd', 10, 1.0), "
            "('pareto_nbd', 1, 0.666667), ('pareto_nbd', 6, 1.0)",
        ),
        ("lists_by_length", "select model, length, round(recall, 6) from predictions.lists_by_length"),
    ],
)
def test_values_are_those_of_the_contract(shop: Shown, name: str, query: str) -> None:
    found = values(shop.answer(name))

    expected = {tuple(key): value for *key, value in shop.rows(query)}
    assert expected
    for key, value in expected.items():
        if isinstance(value, float):
            assert found[key] is not None
            assert float(found[key]) == pytest.approx(value, rel=1e-12), key
        else:
            assert found[key] == value, key
    assert all(value in (None, 0) for key, value in found.items() if key not in expected)


def test_totals_are_those_of_the_report(shop: Shown) -> None:
    shop.change("update ledger.days set state = 'stored' where state = 'provisional'")
    filters = Filters(own=Window(dt.date(2024, 2, 29), dt.date(2024, 3, 2)))

    page = report(shop.path, days=3)

    assert page.period == filters.own
    found = shop.answers(*(chart.name for chart in PAGES["today"].tiles), filters=filters)
    for figure, tile in zip(page.figures, found.values(), strict=True):
        assert (tile.chart.title, tile.total and tile.total.exact) == (figure.name, figure.value)
        assert tile.changes[0].before == figure.before, figure.name


def test_the_orders_of_all_hours_are_the_orders_and_the_bridge_ends_at_the_margin(shop: Shown) -> None:
    found = shop.answers("orders_by_hour", "orders", "from_gross_sales_to_margin", "revenue_by_country")
    bridge = values(found["from_gross_sales_to_margin"])
    [(revenue,)] = shop.rows("select sum(gross_sales - discounts) from kpi.daily_sales")

    assert sum(filter(None, values(found["orders_by_hour"]).values())) == found["orders"].total.exact  # type: ignore[union-attr]
    assert bridge.pop(("Margin",)) == sum(filter(None, bridge.values()))
    assert sum(filter(None, values(found["revenue_by_country"]).values())) == revenue


def test_hours_are_those_of_the_shop(shop: Shown) -> None:
    utc = values(shop.answer("orders_by_hour"))
    moved = values(shop.change("update ledger.published set time_zone = 'Etc/GMT-5'").answer("orders_by_hour"))

    assert {hour: moved[((hour + 5) % 24,)] for hour in range(24)} == {hour: utc[(hour,)] for hour in range(24)}


def test_a_change_in_one_table_moves_the_charts_that_read_it_and_no_others(shop: Shown) -> None:
    views = {view.name for view in VIEWS}
    read = {table for chart in CHARTS.values() for table in chart.tables} - views - {DECIDES_ONLY}
    before = {name: shows(found) for name, found in shop.answers().items()}
    assert len(read) > 15
    for table in sorted(read):
        shutil.copy(shop.path, copy := shop.path.with_name("changed.duckdb"))

        changed = Shown(copy).change(f"delete from {table} where rowid % 3 = 0").answers()

        moved = {name for name, found in changed.items() if shows(found) != before[name]}
        assert moved == {name for name, chart in CHARTS.items() if table in chart.tables}, table


def test_a_ratio_of_days_is_that_of_their_sums(shop: Shown) -> None:
    found = shop.answer("average_order_value")
    [(sales, orders)] = shop.rows("select sum(gross_sales - discounts), sum(orders) from kpi.daily_sales")
    daily = [value for value in values(found).values() if value is not None]

    assert found.total is not None
    assert found.total.exact == Decimal(sales) / orders
    assert found.total.exact != sum(daily) / len(daily)


def test_a_filter_holds_where_the_table_has_the_column_and_otherwise_says_so(shop: Shown) -> None:
    filters = Filters(days=0, chosen=((Dimension.CHANNEL, ("web", "app")),))
    found = shop.answers("net_sales", "net_sales_by_category", filters=filters)
    [(sold,)] = shop.rows("select sum(net_sales) from kpi.daily_sales where channel in ('web', 'app')")

    assert found["net_sales"].total is not None
    assert found["net_sales"].total.exact == sold
    assert found["net_sales"].notes == ()
    assert found["net_sales_by_category"].notes == (
        "Not filtered by sales channel: kpi.daily_category_sales has no such column.",
    )
    unknown = shop.answer("net_sales", Filters(days=0, chosen=((Dimension.CHANNEL, ("fax",)),)))
    assert unknown.notes == ("Sales channel: nothing is known of fax.",)


def final(table: str) -> str:
    return f"update ledger.days set state = 'stored' where table_name = '{table}'"


def test_a_change_says_its_direction_and_whether_that_is_good(shop: Shown) -> None:
    shop.change(
        final("kpi.daily_sales"),
        final("kpi.daily_payments"),
        "delete from kpi.daily_sales where channel <> 'web'",
        "update kpi.daily_sales set net_sales = case when day >= '2024-03-01' then 300 else 100 end",
        "update kpi.daily_payments set attempts = 10, failed_count = case when day >= '2024-03-01' then 2 else 1 end",
    )
    found = shop.answers("net_sales", "payment_failure_rate", filters=LAST_TWO)

    [sales, _], [failures, _] = found["net_sales"].changes, found["payment_failure_rate"].changes
    assert (sales.by, sales.good, texts.change_text(sales, found["net_sales"].chart.total.unit)) == (  # type: ignore[union-attr]
        Decimal("0.5"),
        True,
        "▲ 50.0 %",
    )
    assert (failures.by, failures.good) == (Decimal("0.1"), False)
    assert 'class="change better"' in html(found["net_sales"], None)
    assert "▲ 10.00 points</b> worse than" in html(found["payment_failure_rate"], None)


def test_after_zero_a_value_is_new_and_without_days_before_nothing_compares(shop: Shown) -> None:
    shop.change(final("kpi.daily_sales"), "delete from kpi.daily_sales where day < '2024-03-01'")

    found = shop.answer("net_sales", LAST_TWO)

    period, year = found.changes
    assert (period.is_new, period.before) == (True, 0)
    assert (year.before, year.without) == (None, f"kpi.daily_sales begins on {DAYS.first}")
    assert "<b>New</b>" in html(found, None)
    assert f"<b>{texts.UNKNOWN}</b> Previous year: kpi.daily_sales begins" in html(found, None)


def test_a_day_that_is_not_final_is_named_by_the_ledger_dashed_and_compared_only_so_far(shop: Shown) -> None:
    shop.change(
        final("kpi.daily_sales"),
        "update ledger.days set state = 'provisional' where table_name = 'kpi.daily_sales' and day = '2024-03-02'",
    )
    found = shop.answer("net_sales_by_day", LAST_TWO)

    assert found.provisional == (Window(dt.date(2024, 3, 2), dt.date(2024, 3, 2)),)
    assert [row.state for row in found.rows] == ["", "provisional"]
    [change] = found.changes
    assert (change.is_final, change.good) == (False, None)
    assert "Not final: 2024-03-02" in html(found, None)
    assert "so far: not all days are final" in html(found, None)
    dashed = [layer for layer in figures.figure(found)["layer"] if "strokeDash" in layer["mark"]]
    assert [row["day"] for layer in dashed for row in layer["data"]["values"] if row["state"]] == ["2024-03-02"]

    assert shop.change(final("kpi.daily_sales")).answer("net_sales_by_day", LAST_TWO).provisional == ()


def test_a_failed_day_is_a_gap_with_its_reason_and_no_zero(shop: Shown) -> None:
    shop.change(
        final("kpi.daily_sales"),
        "update ledger.days set state = 'failed', row_count = 0 where table_name = 'kpi.daily_sales' "
        "and day = '2024-03-02'",
        "delete from kpi.daily_sales where day = '2024-03-02'",
    )
    found = shop.answer("net_sales_by_day", LAST_TWO)

    assert [(row.value.exact is None, row.state) for row in found.rows] == [(False, ""), (True, "failed")]
    assert found.notes == ("kpi.daily_sales failed on 2024-03-02.",)
    alone = shop.answer("net_sales_by_day", Filters(own=Window(dt.date(2024, 3, 2), dt.date(2024, 3, 2))))
    assert alone.total is not None
    assert alone.total.exact is None
    orders = shop.answer("orders", Filters(own=alone.window))
    assert orders.total is not None
    assert orders.total.exact is None
    assert "failed on 2024-03-02" in alone.lacks


def test_a_day_whose_returns_are_unknown_has_no_net_sales(shop: Shown) -> None:
    shop.change("update kpi.daily_sales set net_sales = null where day = '2024-03-02'")

    found = shop.answer("net_sales", LAST_TWO)

    assert [row.value.exact is None for row in found.rows] == [False, True]
    assert "Unknown on 2024-03-02." in found.notes


def test_a_restated_total_is_marked_with_its_causes(shop: Shown) -> None:
    moment = "(select max(recorded_at) from ledger.amounts) + interval 1 second"
    key = "'kpi.daily_sales', date '2024-03-02'"
    shop.change(
        f"insert into ledger.amount_changes (table_name, day, cause, amount, recorded_at) "
        f"select {key}, unnest(['late rows', 'corrections']), unnest([7.25, -2]), {moment}",
        f"insert into ledger.amounts (table_name, day, amount, recorded_at) select {key}, amount + 5.25, {moment} "
        "from ledger.amounts where table_name = 'kpi.daily_sales' and day = '2024-03-02'",
    )
    found = shop.answer("net_sales_by_day", LAST_TWO)

    [restated] = found.restated
    assert restated.is_now - restated.was == Decimal("5.25")
    assert restated.causes == (("corrections", Decimal(-2)), ("late rows", Decimal("7.25")))
    assert "corrections -2.00, late rows +7.25" in html(found, None)
    triangles = [layer for layer in figures.figure(found)["layer"] if layer["mark"].get("shape") == "triangle-up"]
    assert [row["day"] for layer in triangles for row in layer["data"]["values"]] == ["2024-03-02"]
    assert shop.answer("mer_by_day", LAST_TWO).restated == ()
    log = shop.answer("restatements", LAST_TWO)
    assert {(row.key[1], row.key[2]): row.value.exact for row in log.rows} == {
        ("kpi.daily_sales", "late rows"): Decimal("7.25"),
        ("kpi.daily_sales", "corrections"): Decimal(-2),
    }


@pytest.mark.parametrize("filters", [ALL, LAST_TWO, Filters(days=7, compared=Compared.YEAR)])
def test_every_chart_draws_what_it_has_or_says_what_it_lacks(shop: Shown, filters: Filters) -> None:
    about = shop.about()
    for found in shop.answers(filters=filters).values():
        assert found.lacks or any(row.value.exact is not None for row in found.rows)
        assert not found.lacks or found.lacks in html(found, about)
        if found.rows and found.chart.form is not Form.SPARK:
            assert figures.figure(found)["height"] > 0


def test_days_of_zero_have_an_axis(shop: Shown) -> None:
    shop.change("update kpi.daily_sales set net_sales = 0")

    drawn = figures.figure(shop.answer("net_sales_by_day"))

    assert {tuple(layer["encoding"]["y"]["scale"]["domain"]) for layer in drawn["layer"]} == {(0, 1)}


def test_a_shop_of_one_day_shows_it(shop: Shown) -> None:
    read = {table for chart in CHARTS.values() for table in chart.tables} - {view.name for view in VIEWS}
    days = {table: catalog.tables()[table].contract.partition_column for table in sorted(read)}
    shop.change(
        *(f"delete from {table} where {day} <> '{DAYS.last}'" for table, day in days.items()),
        f"delete from ledger.days where day <> '{DAYS.last}'",
    )
    found = shop.answers(filters=Filters())

    assert found["net_sales"].window == Window(DAYS.last, DAYS.last)
    assert found["net_sales"].total == shop.answer("net_sales").total
    assert "It is written at the end of each month." in found["cohort_retention"].lacks
    about = shop.about()
    for each in found.values():
        assert html(each, about)
        if each.rows and not each.lacks and each.chart.form is not Form.SPARK:
            assert figures.figure(each)


def test_a_shop_without_a_good_day_of_sales_says_why(shop: Shown) -> None:
    shop.change(
        "update ledger.days set state = 'failed', note = 'A rule: 3 rows break it.' "
        "where table_name = 'kpi.daily_sales'"
    )
    about = shop.about()
    for found in shop.answers().values():
        assert "kpi.daily_sales failed" in found.lacks
        assert "kpi.daily_sales failed" in html(found, about)


def test_without_a_snapshot_every_chart_says_that_nothing_is_published(tmp_path: Path) -> None:
    snapshot, why = Reader(tmp_path / "snapshot.duckdb").newest()

    assert snapshot is None
    for chart in CHARTS.values():
        assert "nothing has been published" in html(nothing(chart, why), None)


def test_a_snapshot_of_another_version_is_said_chart_by_chart(shop: Shown) -> None:
    shop.change("alter table kpi.daily_carts drop column carts")
    reader = Reader(shop.path)
    snapshot = reader.newest()[0]
    assert snapshot

    assert "of another version" in reader.answer(snapshot, CHARTS["abandonment_by_day"], ALL).lacks
    assert reader.answer(snapshot, CHARTS["net_sales"], ALL).lacks == ""


def test_what_fails_for_a_moment_is_said_and_asked_again(shop: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(shop.path)
    snapshot = reader.newest()[0]
    assert snapshot

    def interrupted(*_: Any) -> Answer:
        raise duckdb.IOException("The disk is away.")

    with monkeypatch.context() as patch:
        patch.setattr(reading, "answer", interrupted)
        assert reader.answer(snapshot, CHARTS["net_sales"], ALL).lacks == "The disk is away."
    assert reader.answer(snapshot, CHARTS["net_sales"], ALL).lacks == ""


def test_a_file_has_the_filtered_rows_to_the_last_decimal(shop: Shown) -> None:
    shop.change(f"update kpi.daily_sales set net_sales = 0.0001 where channel = 'web' and day = '{DAYS.last}'")
    filters = Filters(days=0, chosen=((Dimension.CHANNEL, ("web",)),))

    rows = list(csv.DictReader(io.StringIO(texts.csv_of([shop.answer("net_sales_by_day", filters)]).decode())))

    expected = dict(shop.rows("select day::text, net_sales::text from kpi.daily_sales where channel = 'web'"))
    assert {row["day"]: row["value"] for row in rows} == {"2024-03-01": "0", **expected}
    assert rows[-1]["value"] == "0.0001"
    ratio = texts.csv_of([shop.answer("on_time_by_day")]).decode().splitlines()
    assert ratio[0].startswith("day,measure,value,numerator,denominator,")


def test_what_a_shop_writes_is_text_and_not_markup(shop: Shown) -> None:
    shop.change("update kpi.daily_category_sales set category = '<script>alert(1)</script>'")
    filters = Filters(days=0, chosen=((Dimension.CATEGORY, ("<img src=x>",)),))

    found = markup.rows_table(shop.answer("net_sales_by_category")) + html(
        shop.answer("net_sales_by_category", filters), shop.about()
    )

    assert "<script" not in found
    assert "<img src=x" not in found
    assert "&lt;script&gt;" in found


# In a browser


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
SERIOUS = ("serious", "critical")
SECONDS = 30_000
"""In milliseconds: how long a page may take on a busy machine."""


@dataclass
class Browsed:
    """A browser beside a server of its own, which began before anything was published."""

    address: str
    snapshot: Path
    browser: Any
    complaints: list[str] = field(default_factory=list)
    """Errors in the console, exceptions, and requests that leave the host."""
    empty: str = ""
    """What the first page said before anything was published."""

    def page(self, query: str = "", width: int = 1400) -> Any:
        page = self.browser.new_page(viewport={"width": width, "height": 900})
        page.on("console", lambda each: self.complaints.append(each.text) if each.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._look_at(request.url))
        page.goto(f"{self.address}/?{query}", timeout=SECONDS)
        page.wait_for_selector("[data-chart]", timeout=SECONDS)
        return page

    def _look_at(self, url: str) -> None:
        if not re.match(r"(http|ws)://127\.0\.0\.1:|data:|blob:", url):
            self.complaints.append(url)


@pytest.fixture(scope="module")
def browsed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browsed]:
    if CHROMIUM is None:
        pytest.skip("There is no Chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    home = tmp_path_factory.mktemp("home")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [Path(sys.executable).with_name("ecom"), "dashboard", "--port", str(port)]
    environment = {**os.environ, "ECOM_DATA": str(home / "data"), "HOME": str(home)}
    log = (home / "log").open("wb+")
    with log, subprocess.Popen(command, stdout=log, stderr=log, cwd=home, env=environment) as server:
        try:
            _wait_until_served(port)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
                found = Browsed(f"http://127.0.0.1:{port}", home / "data" / "snapshot.duckdb", browser)
                page = found.page()
                found.empty = page.inner_text("body")
                publish_copy(built, found.snapshot)
                page.wait_for_selector("svg.marks", timeout=SECONDS)
                page.close()
                yield found
                browser.close()
        finally:
            server.kill()
        log.seek(0)
        assert b"Traceback" not in log.read()


def _wait_until_served(port: int) -> None:
    until = time.monotonic() + SECONDS / 1000
    while time.monotonic() < until:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5):
            return
        time.sleep(0.1)


def publish_copy(built: Path, snapshot: Path) -> None:
    """Replaces a snapshot in one step."""
    snapshot.parent.mkdir(exist_ok=True)
    os.replace(shutil.copy(built, snapshot.with_suffix(".new")), snapshot)


def marks(page: Any, chart: str) -> list[str]:
    """What the marks of a figure say."""
    found = page.locator(f".st-key-chart_{chart} svg.marks [aria-roledescription][aria-label]")
    found.first.wait_for(state="attached", timeout=SECONDS)
    said: list[str] = found.evaluate_all(
        "all => all.filter(each => !['axis', 'legend', 'title'].includes(each.getAttribute('aria-roledescription')))"
        ".map(each => each.getAttribute('aria-label'))"
    )
    return said


def expected_marks(found: Answer) -> list[str]:
    return [figures.said(row) for row in found.rows if row.value.exact is not None or found.chart.form is Form.BRIDGE]


def test_nothing_published_is_said_by_each_tile_and_the_first_snapshot_appears_by_itself(browsed: Browsed) -> None:
    assert browsed.empty.count("nothing has been published") == len(PAGES["today"].all)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_draws_the_exact_values_and_nothing_goes_wrong(browsed: Browsed, built: Path, name: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    answers = Shown(built).answers(*(chart.name for chart in PAGES[name].all), filters=Filters())
    page = browsed.page(f"page={name}")
    for chart in PAGES[name].charts:
        if not answers[chart.name].lacks:
            assert sorted(marks(page, chart.name)) == sorted(expected_marks(answers[chart.name])), chart.name
        else:
            assert answers[chart.name].lacks in page.inner_text(f".st-key-chart_{chart.name}")
    for tile in PAGES[name].tiles:
        assert tile.total is not None
        total = answers[tile.name].total
        assert total is not None
        assert page.inner_text(f"[data-chart={tile.name}] .total") == texts.value_text(total, tile.total)
    violations = Axe().run(page).response["violations"]

    assert [(each["id"], each["nodes"][0]["html"]) for each in violations if each["impact"] in SERIOUS] == []
    page.set_viewport_size({"width": 390, "height": 800})
    widths = "[...document.querySelectorAll('html, [data-testid=stMain]')].map(each => each.scrollWidth)"
    page.wait_for_function(f"Math.max(...{widths}) <= 390", timeout=SECONDS)
    assert page.locator(".stException").count() == 0
    page.close()
    assert browsed.complaints == []


def test_filters_are_in_the_address_which_gives_the_same_numbers_elsewhere(browsed: Browsed, built: Path) -> None:
    page = browsed.page("page=today")
    page.get_by_role("combobox", name="Sales channel").click()
    page.get_by_role("option", name="web").click()
    page.wait_for_url("**channel=web**", timeout=SECONDS)
    [(sold,)] = Shown(built).rows("select sum(net_sales) from kpi.daily_sales where channel = 'web'")
    total = page.locator("[data-chart=net_sales] .total")
    page.wait_for_function(
        "text => document.querySelector('[data-chart=net_sales] .total').innerText === text",
        arg=f"{sold:,.2f}",
        timeout=SECONDS,
    )
    elsewhere = browsed.page(page.url.partition("?")[2])

    assert elsewhere.locator("[data-chart=net_sales] .total").inner_text() == total.inner_text()
    chart = elsewhere.locator(".st-key-chart_net_sales_by_day")
    chart.get_by_text("Table").first.click()
    chart.locator("table").wait_for(timeout=SECONDS)
    with elsewhere.expect_download() as download:
        chart.get_by_text("CSV").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert sum(Decimal(row["value"]) for row in rows) == sold
    assert chart.locator("tbody tr").count() == len(rows) == len(DAYS)
    page.close()
    elsewhere.close()


def test_a_new_snapshot_appears_without_a_restart(browsed: Browsed, built: Path, shop: Shown) -> None:
    page = browsed.page("page=marketing")
    before = marks(page, "mer_by_day")
    shop.change(
        "update kpi.daily_carts set carts = carts + 1",
        "update ledger.published set published_at = published_at + interval 1 hour",
    )
    expected = sorted(expected_marks(shop.answer("abandonment_by_day", Filters())))
    publish_copy(shop.path, browsed.snapshot)
    try:
        at = f"{shop.about().at:%H:%M:%S}"
        page.wait_for_function("at => document.querySelector('.stamp').innerText.includes(at)", arg=at, timeout=SECONDS)
        until = time.monotonic() + SECONDS / 1000
        while sorted(marks(page, "abandonment_by_day")) != expected and time.monotonic() < until:
            page.wait_for_timeout(100)

        assert sorted(marks(page, "abandonment_by_day")) == expected
        assert marks(page, "mer_by_day") == before
    finally:
        publish_copy(built, browsed.snapshot)
        page.close()
