"""Each analysis answers its question, in the columns that it names."""

import datetime as dt
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from ecom_assets import catalog, settings
from ecom_assets.cli.main import main
from ecom_assets.days import ONE_DAY, Window
from ecom_assets.engine.duckdb.tables import columns_of, ensure_table
from ecom_assets.publishing.snapshot import publish
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.settings import Settings
from ecom_assets_tests.warehouses import START, run_all, session_over, small_shop, window

ANALYSES = settings.PROJECT / "analyses"
FILES = sorted(ANALYSES.rglob("*.sql"))
HEADER = re.compile(r"-- [A-Z][^\n]+\?\n-- Columns: (?P<columns>[^\n]+)\n(?P<warehouse>-- Reads: the warehouse\n)?\n")
DAYS = 35


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A small shop with a late file, a day that was told otherwise, one that was refused, and one that is stale."""
    known = Settings(tmp_path_factory.mktemp("data"), start=START)
    zone = small_shop(known.landing, DAYS)
    refused, last = START + 30 * ONE_DAY, START + (DAYS - 1) * ONE_DAY
    zone.write("customers", refused, "broken.csv", b"customer_id,changed_at\n" + f",{refused}\n".encode() * 400)
    session = session_over(zone, known.warehouse, run_id="first")
    with closing(session.con):
        run_all(session, window(DAYS))
        [(campaign,)] = session.con.execute("select min(campaign_id) from silver.campaigns").fetchall()
        report = (
            f"spend_on,campaign_id,updated_at,impressions,clicks,spend\n{START},{campaign},{last}T00:00:00Z,9,3,99\n"
        )
        zone.write("ad_spend", last, "restated.csv", report.encode())
        session.run("bronze.ad_spend", Window(last, last))
        for table in ("silver.ad_spend", "gold.fact_ad_spend"):
            session.run(table, Window(START, START))
        zone.write("customers", last, "late.csv", f"customer_id,changed_at\nL1,{last}\n".encode())
        publish(session, known.snapshot)
    return known


def header(file: Path) -> re.Match[str]:
    found = HEADER.match(file.read_text())
    assert found, f"{file} begins with no question, or names no columns"
    return found


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_analysis_gives_rows_in_the_columns_it_names(known: Settings, file: Path) -> None:
    from_warehouse = header(file)["warehouse"]
    with duckdb.connect(known.warehouse, read_only=True) if from_warehouse else open_snapshot(known.snapshot) as con:
        answer = con.sql(file.read_text())

        assert answer.columns == header(file)["columns"].split(", ")
        assert answer.fetchall()


def asked(name: str, columns: str, **rows: str) -> list[tuple[Any, ...]]:
    """The answer of a shop's analysis where each table holds the rows, as `columns: values`."""
    with duckdb.connect() as con:
        tables = {declaration.name: columns_of(declaration) for declaration in catalog.tables()}
        for table, types in tables.items():
            if table.partition(".")[0] in ("gold", "kpi"):
                ensure_table(con, table, types)
        con.execute("create schema ledger; create table ledger.days (table_name varchar, day date, state varchar)")
        for declaration in catalog.tables():
            if declaration.view and declaration.view[0].startswith("gold."):
                con.execute(f"create or replace view {declaration.view[0]} as {declaration.view[1]}")
        for table, held in rows.items():
            names, _, values = held.partition(":")
            con.execute(f"insert into {table.replace('__', '.')} by name from (values {values}) t ({names})")
        return con.sql((ANALYSES / "shop" / f"{name}.sql").read_text()).select(columns).fetchall()


def test_a_promise_is_not_kept_by_what_has_not_left() -> None:
    assert asked(
        "shipping_promises",
        "due, shipped, on_time_share",
        gold__fact_shipments="""shipment_id, ordered_on, promised_on, shipped_at, is_on_time:
            ('1', date '2024-01-01', date '2024-01-02', timestamp '2024-01-02 09:00', true),
            ('2', date '2024-01-01', date '2024-01-02', null, false),
            ('3', date '2024-01-03', date '2024-01-04', null, false)""",
    ) == [(2, 1, 0.5)]


def test_goods_of_cancelled_orders_cost_nothing() -> None:
    assert asked(
        "discount_effect",
        "orders, sales_per_order, margin_share",
        gold__fact_sales="""order_id, status, is_valid, quantity, gross_sales, discounts, net_amount, cost:
            ('kept', 'paid', true, 1, 10, 0, 10, 4), ('sent back', 'cancelled', true, 1, 10, 0, 10, 9)""",
    ) == [(2, 10, 0.6)]


def test_refunds_of_cancelled_orders_are_no_goods_that_came_back() -> None:
    assert asked(
        "returns_by_product",
        "product_id, units_sold, units_returned, return_rate, main_reason",
        gold__fact_sales="""order_id, product_id, status, is_valid, quantity:
            ('1', 'P', 'delivered', true, 4), ('2', 'P', 'cancelled', true, 5)""",
        gold__fact_returns="""return_id, order_id, product_id, quantity, reason:
            ('1', '1', 'P', 1, 'too small'), ('2', '2', 'P', 5, 'cancelled'), ('3', null, 'P', 1, 'too small')""",
    ) == [("P", 4, 2, 0.5, "too small")]


def test_what_came_into_stock_of_late_is_no_slow_mover() -> None:
    assert asked(
        "slow_movers",
        "product_id, units_sold_28d, days_of_supply",
        gold__fact_inventory_daily="""day, product_id, on_hand:
            (date '2024-01-01', 'never', 1), (date '2024-01-28', 'never', 1), (date '2024-01-28', 'new', 1),
            (date '2023-12-01', 'once', 1), (date '2024-01-28', 'once', 1),
            (date '2024-01-01', 'sells', 3), (date '2024-01-28', 'sells', 3)""",
        gold__fact_sales="""product_id, ordered_on, is_valid, quantity, order_id:
            ('sells', date '2024-01-02', true, 4, 'a'), ('sells', date '2024-01-02', false, 9, 'b'),
            ('once', date '2023-12-31', true, 1, 'c')""",
    ) == [("never", 0, None), ("once", 0, None), ("sells", 4, 21.0)]


def test_a_change_of_price_is_told_with_a_whole_week_on_either_side() -> None:
    changes = [("P", 1, 1), ("P", 2, 8), ("P", 3, 9), ("Q", 1, 1), ("Q", 2, 7), ("R", 1, 1), ("R", 2, 8)]
    versions = ", ".join(
        f"('{product}', {price}, date '2024-01-{day:02}', timestamp '2024-01-{day:02} 00:00')"
        for product, price, day in changes
    )
    assert asked(
        "price_changes",
        "product_id, changed_on, units_a_day_before, units_a_day",
        gold__dim_product_versions=f"product_id, price, effective_on, effective_from: {versions}",
        kpi__daily_product_sales="""day, product_id, units:
            (date '2024-01-01', 'P', 7), (date '2024-01-08', 'P', 14), (date '2024-01-14', 'P', 7)""",
    ) == [("P", dt.date(2024, 1, 8), 1, 3), ("R", dt.date(2024, 1, 8), 0, 0)]


@pytest.mark.parametrize(("first", "growth"), [("2024-01-01", 3), ("2024-01-02", None)])
def test_categories_grow_against_a_whole_period_before(first: str, growth: float | None) -> None:
    assert asked(
        "categories",
        "category, growth",
        kpi__daily_category_sales=f"""day, category, net_sales:
            (date '{first}', 'a', -50), (date '2024-02-25', 'a', 100)""",
    ) == [("a", growth)]


def test_a_weekday_without_sales_counts_and_one_without_good_rows_does_not() -> None:
    assert asked(
        "weekday_pattern",
        "weekday_name, mean_net_sales",
        gold__dim_date="""day, weekday, weekday_name:
            (date '2024-01-01', 1, 'Monday'), (date '2024-01-08', 1, 'Monday'), (date '2024-01-15', 1, 'Monday')""",
        kpi__daily_sales="day, channel, orders, net_sales: (date '2024-01-01', 'web', 1, 10)",
        ledger__days="""table_name, day, state:
            ('kpi.daily_sales', date '2024-01-01', 'stored'), ('kpi.daily_sales', date '2024-01-08', 'stored'),
            ('kpi.daily_sales', date '2024-01-15', 'failed')""",
    ) == [("Monday", 5)]


@pytest.mark.slow
def test_a_file_is_answered_on_the_command_line(known: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECOM_DATA", str(known.data))

    answered = CliRunner().invoke(main, ["query", str(ANALYSES / "monitoring" / "snapshot_age.sql")])
    refused = CliRunner().invoke(main, ["query", str(ANALYSES / "monitoring" / "late_rows.sql")])
    from_warehouse = CliRunner().invoke(main, ["query", str(ANALYSES / "monitoring" / "late_rows.sql"), "--warehouse"])

    assert "published_at" in answered.output
    assert "bronze" in refused.output
    assert refused.exit_code == 1
    assert "days_late" in from_warehouse.output


@pytest.mark.parametrize("name", ["duplicates_by_file", "late_rows", "quarantine_reasons"])
def test_what_is_asked_of_all_feeds_names_each(name: str) -> None:
    asked = re.findall(
        r"(?:bronze|quarantine|superseded)\.(\w+)", (ANALYSES / "monitoring" / f"{name}.sql").read_text()
    )

    assert asked == sorted(catalog.tables().feeds)


def test_the_index_lists_each_analysis_with_its_question() -> None:
    index = (ANALYSES / "README.md").read_text()

    for file in FILES:
        question = file.read_text().partition("\n")[0].removeprefix("-- ")
        assert f"]({file.relative_to(ANALYSES)}) | {question}" in index
    assert index.count(".sql) | ") == len(FILES)
