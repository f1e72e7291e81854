import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ecom_assets import catalog
from ecom_assets.engine.duckdb.tables import columns_of
from ecom_assets.landing.zone import Zone
from ecom_assets.publishing.snapshot import publish
from ecom_assets.serving.published_tables import BESIDE_THE_LAYERS, LEDGER, QUARANTINE, SUPERSEDED, VIEWS
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets_tests.warehouses import session_over

Columns = list[tuple[str, str]]


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is published of all tables before any day has run."""
    folder = tmp_path_factory.mktemp("data")
    session = session_over(Zone(folder / "landing"))
    with closing(session.con), pytest.MonkeyPatch.context() as patched:
        patched.setattr(session, "stale", list)  # it would compile all tables, and find nothing
        publish(session, folder / "snapshot.duckdb")
    return folder / "snapshot.duckdb"


def declared() -> dict[str, Columns]:
    """Table or view to the columns and types that contracts and interface declare, in order."""
    tables = catalog.tables()
    found = {
        table.name: list(columns_of(table).items())
        for table in tables
        if table.contract.layer in ("gold", "kpi", "features", "predictions")
    }
    found |= {table.name: list(table.sql_types.items()) for table in LEDGER}
    for feed in tables.feeds:
        as_text = [(column, "VARCHAR") for column in tables[f"bronze.{feed}"].contract.columns]
        found[f"quarantine.{feed}"] = [*as_text, *QUARANTINE.sql_types.items()]
        found[f"superseded.{feed}"] = list(SUPERSEDED.sql_types.items())
    for view in VIEWS:
        extended = found[view.extends] if view.extends else []
        found[view.name] = [*extended, *view.sql_types.items()]
    return found


def test_the_snapshot_holds_the_declared_tables_columns_and_types(snapshot):
    found: dict[str, Columns] = {}
    with open_snapshot(snapshot) as con:
        for table, column, sql_type in con.execute(
            "select schema_name || '.' || table_name, column_name, data_type from duckdb_columns() "
            "where database_name = current_database() and not internal order by table_oid, column_index"
        ).fetchall():
            found.setdefault(table, []).append((column, sql_type))
        views = con.execute(
            "select schema_name || '.' || view_name from duckdb_views() "
            "where database_name = current_database() and not internal"
        ).fetchall()

    assert found == declared()
    assert sorted(name for (name,) in views) == sorted(view.name for view in VIEWS)


def test_a_view_has_its_query_in_one_place():
    beside_tables = {table.view[0] for table in catalog.tables() if table.view}

    assert beside_tables == {view.name for view in VIEWS if view.query is None}


@pytest.mark.parametrize("table", BESIDE_THE_LAYERS, ids=lambda table: table.name)
def test_what_is_published_says_what_its_rows_and_columns_are(table):
    assert table.row.startswith("One row")
    assert table.row.endswith(".")
    assert all(column.description for column in table.columns)


READER = """
import importlib, pathlib, pkgutil, sys
from ecom_assets import serving
for module in pkgutil.iter_modules(serving.__path__, "ecom_assets.serving."):
    importlib.import_module(module.name)
from ecom_assets.serving import bad_days, snapshot
path = pathlib.Path(sys.argv[1])
with snapshot.open_snapshot(path) as con:
    con.sql("from ledger.days").fetchall()
assert bad_days.bad_days(path) == []
print(*sys.modules)
"""
OURS = {"serving", "landing", "days", "errors", "sql"}
HEAVY = {"click", "dagster", "filelock", "narwhals", "numpy", "pandas", "pandera", "polars", "pyarrow", "pydantic"}


def test_a_reader_loads_neither_dagster_nor_frames_nor_the_core(snapshot):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    reader = subprocess.run(
        [sys.executable, "-c", READER, snapshot], env=environment, capture_output=True, text=True, check=True
    )
    loaded = [module.split(".") for module in reader.stdout.split()]

    assert {name for name, *_ in loaded} & HEAVY == set()
    assert {inner[0] for name, *inner in loaded if name == "ecom_assets" and inner} == OURS
    assert [inner for name, *inner in loaded if inner[:1] == ["landing"]] == [["landing"], ["landing", "provenance"]]
