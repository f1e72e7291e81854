"""Each analysis answers its question, in the columns that it names."""

import re
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from ecom_assets import catalog, settings
from ecom_assets.cli import main
from ecom_assets.days import ONE_DAY, Window
from ecom_assets.engine import duckdb as engine
from ecom_assets.serving.publish import open_snapshot, publish
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


def test_a_promise_is_not_kept_by_what_has_not_left() -> None:
    with duckdb.connect() as con:
        engine.ensure_table(con, "gold.fact_shipments", engine.columns_of(catalog.tables()["gold.fact_shipments"]))
        con.execute("""
            insert into gold.fact_shipments by name from (values
                (date '2024-01-01', date '2024-01-02', timestamp '2024-01-02 09:00', true),
                (date '2024-01-01', date '2024-01-02', null, false),
                (date '2024-01-03', date '2024-01-04', null, false)) t (ordered_on, promised_on, shipped_at, is_on_time)
        """)

        answer = con.sql((ANALYSES / "shop" / "shipping_promises.sql").read_text())

        assert answer.select("due, shipped, on_time_share").fetchall() == [(2, 1, 0.5)]


def test_goods_of_cancelled_orders_cost_nothing() -> None:
    with duckdb.connect() as con:
        engine.ensure_table(con, "gold.fact_sales", engine.columns_of(catalog.tables()["gold.fact_sales"]))
        con.execute("""
            insert into gold.fact_sales by name from (values
                ('kept', 'paid', true, 1, 10, 0, 10, 4), ('sent back', 'cancelled', true, 1, 10, 0, 10, 9))
                t (order_id, status, is_valid, quantity, gross_sales, discounts, net_amount, cost)
        """)

        answer = con.sql((ANALYSES / "shop" / "discount_effect.sql").read_text())

        assert answer.select("orders, sales_per_order, margin_share").fetchall() == [(2, 10, 0.6)]


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

    assert asked == sorted(d.contract.name.partition(".")[2] for d in catalog.tables() if d.from_feed)


def test_the_index_lists_each_analysis_with_its_question() -> None:
    index = (ANALYSES / "README.md").read_text()

    for file in FILES:
        question = file.read_text().partition("\n")[0].removeprefix("-- ")
        assert f"]({file.relative_to(ANALYSES)}) | {question}" in index
    assert index.count(".sql) | ") == len(FILES)
