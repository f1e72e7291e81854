import datetime as dt
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import pytest

from ecom_assets.contract import (
    Date,
    Decimal,
    Feed,
    Table,
    Timestamp,
    column,
    contract,
    feed_contract,
    key,
    money,
    rule,
)
from ecom_assets.days import Window, by_event_day
from ecom_assets.declaration import Catalog, Declaration, declare
from ecom_assets.landing.zone import Zone
from ecom_assets.publishing.snapshot import publish
from ecom_assets.serving import snapshot
from ecom_assets.serving.bad_days import bad_days
from ecom_assets.serving.snapshot import NothingPublished, SnapshotInUse, open_snapshot
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.tiny_shop import days, of_feed, open_shop, order

MONDAY, TUESDAY = dt.date(2024, 1, 1), dt.date(2024, 1, 2)
DAYS = Window(MONDAY, TUESDAY)


class SalesFeed(Feed, primary_key="sale_id", event_column="sold_at", name="landing.sales"):
    """One row per sale."""

    sale_id: str = key("Number of the sale")
    sold_at: Timestamp = column("When it was sold")
    amount: Decimal = money("What was paid", ge=0)


class Sales(SalesFeed, partition_column="sold_on", max_bad_share=0.9, name="silver.sales"):
    """One row per sale."""

    sold_on: Date = column("Day of the sale")


class FactSales(Table, primary_key="sale_id", partition_column="sold_on", name="gold.fact_sales"):
    """One row per sale."""

    sale_id: str = key("Number of the sale")
    sold_on: Date = column("Day of the sale")
    amount: Decimal = money("What was paid")

    @rule
    def is_small(cls) -> nw.Expr:
        """A sale is below a thousand."""
        return nw.col("amount") < 1000


class FactSalesWithCurrency(FactSales, name="gold.fact_sales"):
    """One row per sale."""

    currency: str = column("In which it was paid", nullable=True)


def as_they_are(bronze_sales: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_sales


def facts(silver_sales: nw.LazyFrame) -> nw.LazyFrame:
    return silver_sales.select("sale_id", "sold_on", "amount")


def facts_with_currency(silver_sales: nw.LazyFrame) -> nw.LazyFrame:
    return facts(silver_sales).with_columns(currency=nw.lit("EUR"))


def catalog(gold: Declaration | None = None) -> Catalog:
    fact_sales = gold or declare(
        contract(FactSales),
        facts,
        view=("gold.dear_sales", "select * from gold.fact_sales where amount >= 100"),
    )
    silver = declare(contract(Sales), as_they_are, {"bronze_sales": by_event_day}, feed=feed_contract(SalesFeed))
    return Catalog([*of_feed(SalesFeed, silver), fact_sales])


@contextmanager
def session(folder: Path, tables: Catalog | None = None, run_id: str = "", **more: Any) -> Iterator[Session]:
    with duckdb.connect(folder / "warehouse.duckdb") as con:
        yield Session(
            con, tables or catalog(), Zone(folder / "landing"), Window(MONDAY, TUESDAY), run_id=run_id, **more
        )


def land(folder: Path, day: dt.date, *amounts: str) -> None:
    lines = [f"{day:%d}-{n},{day}T12:00:00Z,{amount}" for n, amount in enumerate(amounts)]
    Zone(folder / "landing").write("sales", day, "sales.csv", "\n".join(["sale_id,sold_at,amount", *lines]).encode())


def run(folder: Path, run_id: str = "", tables: Catalog | None = None, publishes: bool = True) -> None:
    with session(folder, tables, run_id) as now:
        for declaration in now.catalog:
            now.repair(declaration.name, DAYS)
        if publishes:
            publish(now, folder / "snapshot.duckdb")


def read(folder: Path, query: str) -> list[Any]:
    with open_snapshot(folder / "snapshot.duckdb") as con:
        return con.execute(query).fetchall()


def amounts(folder: Path) -> list[int]:
    return [int(amount) for (amount,) in read(folder, "select amount from gold.fact_sales order by all")]


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose two days have run."""
    folder = tmp_path_factory.mktemp("data")
    land(folder, MONDAY, "10", "20")
    land(folder, TUESDAY, "300")
    run(folder, publishes=False)
    return folder


@pytest.fixture
def folder(two_days: Path, tmp_path: Path) -> Path:
    """A data folder whose two days have run and are published."""
    shutil.copytree(two_days, tmp_path, dirs_exist_ok=True)
    with session(tmp_path, run_id="first") as now:
        publish(now, tmp_path / "snapshot.duckdb")
    return tmp_path


def test_readers_see_tables_views_and_the_ledger(folder):
    assert amounts(folder) == [10, 20, 300]
    assert read(folder, "select amount::int from gold.dear_sales") == [(300,)]
    assert read(folder, "select distinct state, shows_old_rows from ledger.days") == [("stored", False)]
    assert read(folder, "select feed, source_file from ledger.files where arrived_on = '2024-01-01'") == [
        ("sales", "sales.csv")
    ]
    assert read(folder, "select run_id from ledger.published") == [("first",)]
    assert read(folder, "from ledger.stale") == []


@pytest.mark.slow
def test_a_changed_day_replaces_its_rows_run_after_run(folder):
    for amount in (11, 12, 13):
        land(folder, MONDAY, str(amount))
        run(folder)
        assert amounts(folder) == [amount, 300]


def test_quarantined_rows_are_published_with_their_reasons(folder):
    land(folder, MONDAY, "10", "-1")
    run(folder)

    assert read(folder, "select amount, reasons from quarantine.sales") == [("-1", ["broken: amount is at least 0"])]

    land(folder, MONDAY, "10", "1")
    run(folder)

    assert read(folder, "from quarantine.sales") == []


def test_the_content_hash_of_a_day_is_that_of_its_rows(folder):
    content = "select content from ledger.days where table_name = 'gold.fact_sales' and day = '2024-01-01'"
    hashes = []
    for amounts_of_monday in (("10", "20"), ("11", "20"), ("5000",), ("10", "20")):
        land(folder, MONDAY, *amounts_of_monday)
        run(folder)
        hashes += read(folder, content)

    first, second, failed, again = hashes
    assert first == again != second != (None,)
    assert failed == (None,)


def test_a_failed_day_shows_its_old_rows_marked_as_old(folder):
    land(folder, MONDAY, "5000")
    run(folder)

    state = "select state, shows_old_rows from ledger.days where table_name = 'gold.fact_sales' order by day"
    assert amounts(folder) == [10, 20, 300]
    assert read(folder, state) == [("failed", True), ("stored", False)]

    land(folder, MONDAY, "50")
    run(folder)

    assert amounts(folder) == [50, 300]
    assert read(folder, state) == [("stored", False), ("stored", False)]


def test_a_day_made_without_the_rows_of_an_input_is_told(tmp_path):
    with open_shop(tmp_path) as shop:
        for day in (0, 1):
            shop.land_customers(day, f"c{day}")
            shop.land_orders(day, order(day, day, amount=10 if day else -1))
        shop.run(days(0, 1))
        publish(shop.session, tmp_path / "snapshot.duckdb")

    [partial] = [bad for bad in bad_days(tmp_path / "snapshot.duckdb") if bad.state == "partial"]
    assert partial.tables == ["gold.to_date"]
    assert partial.why == "made without the rows of silver.orders of the day, which are not good"


def test_what_has_to_run_again_is_listed_with_the_reason(folder):
    land(folder, TUESDAY, "301")
    with session(folder) as now:
        publish(now, folder / "snapshot.duckdb")

    stale = "select table_name, day, split_part(why, ' (', 1) from ledger.stale"
    assert read(folder, stale) == [("bronze.sales", TUESDAY, "its files changed")]


def test_a_table_day_that_is_gone_from_the_warehouse_is_gone_from_the_snapshot(folder):
    with session(folder) as now:
        now.con.execute("delete from ledger.days where table_name = 'gold.fact_sales' and day = '2024-01-01'")
        now.con.execute("delete from gold.fact_sales where sold_on = '2024-01-01'")
        publish(now, folder / "snapshot.duckdb")

    assert amounts(folder) == [300]


def test_a_new_column_is_published_on_all_days(folder):
    run(folder, tables=catalog(declare(contract(FactSalesWithCurrency), facts_with_currency)))

    assert read(folder, "select currency, count(*) from gold.fact_sales group by all") == [("EUR", 3)]


def test_a_new_column_that_no_day_has_yet_is_empty(folder):
    with session(folder, catalog(declare(contract(FactSalesWithCurrency), facts_with_currency))) as now:
        publish(now, folder / "snapshot.duckdb")

    assert read(folder, "select currency, count(*) from gold.fact_sales group by all") == [(None, 3)]


def test_tables_and_views_that_nobody_declares_any_more_are_dropped(folder):
    tables = Catalog(declaration for declaration in catalog() if declaration.name != "gold.fact_sales")
    with session(folder, tables) as now:
        publish(now, folder / "snapshot.duckdb")

    assert read(folder, "select table_name from information_schema.tables where table_schema = 'gold'") == []
    assert read(folder, "select * from ledger.days where table_name = 'gold.fact_sales'") == []


def test_arrivals_are_those_of_declared_tables(folder):
    arrivals = "select table_name, sum(row_count) from ledger.arrivals group by all"
    assert read(folder, arrivals) == [("bronze.sales", 3)]

    with session(folder) as now:
        now.con.execute("update ledger.slices set table_name = 'bronze.gone' where table_name = 'bronze.sales'")
        publish(now, folder / "snapshot.duckdb")

    assert read(folder, arrivals) == []


def test_a_ledger_with_other_columns_than_declared_is_made_anew_with_all_rows(folder):
    with duckdb.connect(folder / "snapshot.duckdb") as con:
        con.execute("alter table ledger.days drop column made_without")
        con.execute("create table gold.gone as select 1 as n")
    with session(folder) as now:
        now.con.execute("delete from ledger.days where table_name = 'gold.fact_sales' and day = '2024-01-01'")
        publish(now, folder / "snapshot.duckdb")

    assert amounts(folder) == [300]
    assert read(folder, "select distinct made_without from ledger.days") == [(None,)]


@pytest.mark.slow
def test_a_reader_keeps_its_run_and_reopening_shows_the_new_one(folder):
    with open_snapshot(folder / "snapshot.duckdb") as early:
        with open_snapshot(folder / "snapshot.duckdb"):
            pass
        for amount in range(11, 17):
            with session(folder) as now:
                now.con.execute("update gold.fact_sales set amount = ? where sold_on = '2024-01-01'", [amount])
                now.con.execute("update ledger.days set inputs = inputs + 1 where day = '2024-01-01'")
                publish(now, folder / "snapshot.duckdb")
            assert amounts(folder) == [amount, amount, 300]
        assert early.execute("select amount::int from gold.fact_sales order by all").fetchall() == [
            (10,),
            (20,),
            (300,),
        ]


READER = """
import duckdb, sys
con = duckdb.connect()
con.execute(f"attach '{sys.argv[1]}' as snapshot (read_only)")
for line in sys.stdin:
    print(con.execute("select sum(amount)::int from snapshot.gold.fact_sales").fetchall()[0][0], flush=True)
"""


@pytest.mark.slow
def test_a_foreign_reader_of_another_process_keeps_its_run(folder):
    command = [sys.executable, "-c", READER, str(folder / "snapshot.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as reader:
        for amount in (11, 12, 13):
            reader.stdin.write("\n")
            assert reader.stdout.readline() == "330\n"
            land(folder, MONDAY, str(amount))
            run(folder)
            assert amounts(folder) == [amount, 300]


def publish_and_die(folder: Path, step: str) -> None:
    """Run in a process of its own: publishes and is killed at the step."""

    def die(now: str) -> None:
        if now == step:
            os.kill(os.getpid(), signal.SIGKILL)

    with session(folder, run_id="killed") as killed:
        killed.on_step = die
        publish(killed, folder / "snapshot.duckdb")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "runs_before"),
    [
        ("snapshot committed", 2),
        ("snapshot rows written", 1),
        ("snapshot attached", 2),
        ("snapshot rows written", 2),
        ("snapshot written", 2),
        ("snapshot linked", 2),
        ("snapshot published", 2),
    ],
)
def test_a_killed_publish_leaves_a_whole_snapshot_that_the_next_one_replaces(folder, step, runs_before):
    if runs_before == 2:
        with session(folder, run_id="first") as now:
            publish(now, folder / "snapshot.duckdb")
    land(folder, MONDAY, "70")
    run(folder, publishes=False)
    code = "import sys, pathlib, test_snapshot; test_snapshot.publish_and_die(pathlib.Path(sys.argv[1]), sys.argv[2])"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, "-c", code, str(folder), step]
    killed = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False)

    assert killed.returncode == -signal.SIGKILL
    is_published = step == "snapshot published"
    assert amounts(folder) == ([70, 300] if is_published else [10, 20, 300])
    assert read(folder, "select run_id from ledger.published") == [("killed" if is_published else "first",)]

    for amount in (71, 72):
        land(folder, TUESDAY, str(amount))
        run(folder)
        assert amounts(folder) == [70, amount]
    assert sorted(file.name for file in folder.iterdir() if "snapshot" in file.name) == [
        ".snapshot-a.duckdb",
        ".snapshot-a.lock",
        ".snapshot-b.duckdb",
        ".snapshot-b.lock",
        "snapshot.duckdb",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("file", [".snapshot-a.duckdb", ".snapshot-b.duckdb", "snapshot.duckdb"])
@pytest.mark.parametrize("content", [None, b"not a database"])
def test_a_lost_or_broken_file_is_made_anew(folder, file, content):
    (folder / file).unlink(missing_ok=True)
    if content is not None:
        (folder / file).write_bytes(content)
    for run_id in ("second", "third", "fourth"):
        with session(folder, run_id=run_id) as now:
            publish(now, folder / "snapshot.duckdb")

        assert amounts(folder) == [10, 20, 300]
        assert read(folder, "select run_id from ledger.published") == [(run_id,)]


def test_without_a_snapshot_the_reader_is_told_so(tmp_path):
    with pytest.raises(NothingPublished), open_snapshot(tmp_path / "none.duckdb"):
        pass


WRITER = "import sys, duckdb; con = duckdb.connect(sys.argv[1]); print('open', flush=True); input()"


@pytest.mark.slow
def test_a_program_that_has_the_snapshot_open_for_writing_is_told(folder, monkeypatch):
    monkeypatch.setattr(snapshot, "LOCK_WAIT_SECONDS", 0.0)
    command = [sys.executable, "-c", WRITER, str(folder / "snapshot.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        writer.stdout.readline()
        with pytest.raises(SnapshotInUse, match="is open for writing in another program"):
            amounts(folder)
        writer.communicate("\n")

    assert amounts(folder) == [10, 20, 300]


def test_a_failed_publish_leaves_the_session_usable(folder):
    land(folder, MONDAY, "9")

    def fail(step: str) -> None:
        if step == "snapshot rows written":
            raise KeyboardInterrupt

    with session(folder) as now:
        now.on_step = fail
        with pytest.raises(KeyboardInterrupt):
            publish(now, folder / "snapshot.duckdb")
        now.on_step = lambda step: None
        publish(now, folder / "snapshot.duckdb")

    assert read(folder, "select split_part(why, ' (', 1) from ledger.stale") == [("its files changed",)]
