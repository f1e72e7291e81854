"""Contracts of published tables, held against the standard's schema, datacontract-cli and the tables."""

import json
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import pytest
import yaml

from ecom_assets import catalog
from ecom_assets.exports.contracts import SNAPSHOT, contracts
from ecom_assets.exports.export import export
from ecom_assets.exports.star import KEYS, OF_MARKETING, relationships
from ecom_assets.exports.tables import exported
from ecom_assets.serving.snapshot import open_snapshot

pytest.importorskip("ibis", reason="datacontract-cli[duckdb] is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::Warning")  # those of datacontract-cli's libraries
FEW = ("gold.fact_sales", "gold.dim_customer", "features.customer_features", "kpi.daily_sales", "kpi.attribution")


@pytest.fixture(scope="module")
def folder(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The contracts of an export."""
    folder = tmp_path_factory.mktemp("contracts") / "out"
    export(published, catalog.tables(), folder, ["odcs"])
    return folder / "odcs"


@pytest.fixture
def in_data_folder(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the snapshot in the current folder, as the contracts name it."""
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(published, tmp_path / SNAPSHOT)
    return tmp_path / SNAPSHOT


def contract(folder: Path, name: str) -> Any:
    from datacontract.data_contract import DataContract

    return DataContract(data_contract_file=str(folder / f"{name}.odcs.yaml"))


def unmet(folder: Path, name: str) -> set[str]:
    """What a test of a contract says is not as promised, but for the relationships to other contracts."""
    checks = contract(folder, name).test().checks
    assert len(checks) > 5
    return {
        f"{check.field} {check.type}" if check.category == "schema" else check.name
        for check in checks
        if check.result.value != "passed" and check.type != "field_relationships"
    }


@pytest.mark.slow
def test_each_contract_follows_the_schema_of_the_standard():
    schema = json.loads(files("datacontract").joinpath("schemas", "odcs-3.1.0.schema.json").read_text())
    validator = jsonschema.Draft201909Validator(schema)

    for name, promised in contracts(catalog.tables()).items():
        assert [error.message for error in validator.iter_errors(promised)] == [], name


@pytest.mark.slow
def test_each_published_table_and_its_columns_have_a_contract(published, folder):
    promised = {name: found["schema"][0]["properties"] for name, found in contracts(catalog.tables()).items()}

    assert {path.name.removesuffix(".odcs.yaml") for path in folder.iterdir()} == {*promised}
    layers = {table.name for table in catalog.tables() if table.contract.layer.is_published}
    assert layers | {table.name for table in exported(catalog.tables())} == {*promised}
    with open_snapshot(published) as con:
        for name, properties in promised.items():
            described = con.sql(f"from {name}")
            types = dict(zip(described.columns, map(str, described.types), strict=True))
            assert {found["name"]: found["physicalType"] for found in properties} == types
    assert {p["name"] for p in promised["gold.dim_customer"] if "personal" in p.get("tags", [])} >= {"name", "email"}


@pytest.mark.slow
@pytest.mark.parametrize("name", FEW)
def test_a_contract_is_kept_by_the_snapshot(folder, in_data_folder, name):
    assert contract(folder, name).lint().result.value == "passed"
    assert unmet(folder, name) == set()


@pytest.mark.long
def test_all_contracts_are_kept_by_the_snapshot(folder, in_data_folder):
    for name in contracts(catalog.tables()):
        assert contract(folder, name).lint().result.value == "passed", name
        assert unmet(folder, name) == set(), name


PLANTED = {
    "update gold.fact_sales set ordered_at = null": "ordered_at field_required",
    "update gold.fact_sales set quantity = -1": "quantity field_minimum",
    "insert into gold.fact_sales from gold.fact_sales limit 1": "None primary_key_unique",
    "update gold.fact_sales set discounts = discounts + 1": "The line discount and the share of the order's discount "
    "make the discounts.",
    "update gold.fact_sales set product_key = 'none'": "product_key is null or in a row of gold.dim_product_versions",
    "alter table gold.fact_sales drop column seller": "seller field_is_present",
    "alter table gold.fact_sales alter column line_number type varchar": "line_number field_type",
    "update kpi.attribution set model = 'guess' where model = 'linear'": "Check that field model has invalid_count = 0",
}


@pytest.mark.slow
def test_what_breaks_a_contract_is_found(folder, in_data_folder):
    whole = in_data_folder.with_name("whole.duckdb")
    in_data_folder.rename(whole)
    with duckdb.connect(whole) as con:
        for (view,) in con.execute("select view_name from duckdb_views() where schema_name = 'gold'").fetchall():
            con.execute(f"drop view gold.{view}")
    for statement, expected in PLANTED.items():
        shutil.copyfile(whole, in_data_folder)
        with duckdb.connect(in_data_folder) as con:
            con.execute(statement)
        table = next(name for name in FEW if name in statement)
        assert expected in unmet(folder, table), statement


@pytest.mark.slow
def test_a_removed_column_is_a_breaking_change_and_an_added_one_is_none(folder, tmp_path):
    promised = contracts(catalog.tables())["kpi.daily_sales"]
    properties = promised["schema"][0]["properties"]
    properties.remove(next(found for found in properties if found["name"] == "net_sales"))
    (tmp_path / "less.odcs.yaml").write_text(yaml.safe_dump(promised))
    now, less = contract(folder, "kpi.daily_sales"), contract(tmp_path, "less")

    found = now.breaking(less)
    assert [entry.path for entry in found.entries if entry.level.value == "error"] == [
        "schema.daily_sales.properties.net_sales"
    ]
    assert not less.breaking(now).is_breaking


@pytest.mark.slow
def test_the_relationships_of_the_star_hold_and_none_is_left_out(published):
    tables = exported(catalog.tables())
    found = relationships(tables)

    with open_snapshot(published) as con:

        def strangers(table: str, column: str, dimension: str, key: str) -> int:
            keys = f"select {key} from {dimension} where {key} is not null"
            return con.sql(f"from {table} where {column} is not null and {column} not in ({keys})").shape[0]

        for one in found:
            assert strangers(one.table, one.column, one.dimension, one.key) == 0, one
        for dimension in {one.dimension: one.key for one in found}.items():
            [(doubled,)] = con.sql("select count({1}) - count(distinct {1}) from {0}".format(*dimension)).fetchall()
            assert doubled == 0
        of_sales = [
            table.name
            for table in tables
            if "channel" in {column.name for column in table.columns}
            and table.name not in OF_MARKETING
            and not table.name.startswith("gold.dim_")
            and con.sql(f"from {table.name}").shape[0]
        ]
        assert of_sales
        for name in of_sales:
            assert strangers(name, "channel", "gold.dim_channel", "channel") > 0, name
    assert {*KEYS.values()} <= {one.dimension for one in found}
