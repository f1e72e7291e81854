"""A warehouse of the commit before is opened by this one, and a changed contract is migrated or refused."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecom_assets import catalog
from ecom_assets.days import Window
from ecom_assets.engine.duckdb.tables import ShapeError
from ecom_assets.landing.zone import Zone
from ecom_assets.publishing.snapshot import publish
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.settings import PROJECT
from ecom_assets.warehouse.ledger.schema import LedgerError
from ecom_assets.warehouse.proof import settle, verify
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.warehouses import START, session_over

pytestmark = pytest.mark.long

BEFORE = os.environ.get("ECOM_TEST_BEFORE", "HEAD~1")
_WRITE = """
import sys
from pathlib import Path
from ecom_assets.publishing.snapshot import publish
from ecom_assets_tests.warehouses import run_all, session_over, small_shop, window
folder = Path(sys.argv[1])
session = session_over(small_shop(folder / "landing", 3), folder / "warehouse.duckdb")
run_all(session, window(3))
publish(session, folder / "snapshot.duckdb")
"""


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """The present code on a warehouse that the code of the commit before has written."""
    code = tmp_path / "code"
    code.mkdir()
    archive = subprocess.run(["git", "archive", BEFORE], cwd=PROJECT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", code], input=archive, check=True)
    environment = {**os.environ, "PYTHONPATH": str(code)}
    subprocess.run([sys.executable, "-c", _WRITE, tmp_path], cwd=code, env=environment, check=True)
    opened = session_over(Zone(tmp_path / "landing"), tmp_path / "warehouse.duckdb")
    yield opened
    opened.con.close()


def test_a_warehouse_of_the_commit_before_goes_on(session: Session, tmp_path: Path) -> None:
    rows = session.con.execute("select count(*) from silver.orders").fetchall()

    settle(session)
    publish(session, tmp_path / "snapshot.duckdb")

    assert rows != [(0,)]
    assert session.stale() == []
    assert verify(session) is None
    with open_snapshot(tmp_path / "snapshot.duckdb") as con:
        assert con.execute("select count(*) from gold.fact_sales").fetchall() != [(0,)]


def test_a_column_that_the_contract_has_now_is_added(session: Session) -> None:
    session.con.execute("alter table gold.fact_sales drop column gross_sales")

    session.run("gold.fact_sales", Window(START, START))

    query = f"select count(*), count(gross_sales) from gold.fact_sales where ordered_on = date '{START}'"
    [(rows, filled)] = session.con.execute(query).fetchall()
    assert rows == filled > 0


def test_a_changed_type_is_refused_with_what_to_do(session: Session) -> None:
    session.con.execute("alter table gold.fact_sales alter gross_sales type varchar")

    with pytest.raises(ShapeError, match="drop the table and run all its days again"):
        session.run("gold.fact_sales", Window(START, START))


def test_a_warehouse_with_other_hashes_is_refused_with_what_to_do(session: Session, tmp_path: Path) -> None:
    session.con.execute("update ledger.facts set value = 'another' where name = 'hash_version'")

    with pytest.raises(LedgerError, match="Rebuild it from the landing zone"):
        Session(session.con, catalog.tables(), session.zone, session.calendar)
