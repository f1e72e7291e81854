"""Measures, and the semantic models made of them: equal to the tables, and whole."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from ecom_assets import catalog
from ecom_assets.exports.export import export
from ecom_assets.exports.measures import MEASURES, UNKNOWN_DAYS
from ecom_assets.exports.osi import semantic_model
from ecom_assets.exports.power_bi import project
from ecom_assets.exports.star import relationships
from ecom_assets.exports.tables import exported
from ecom_assets.serving import report
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.sql import day_literal
from ecom_assets_tests.exports.conftest import DAYS
from ecom_assets_tests.warehouses import window

BY_NAME = {measure.name: measure for measure in MEASURES}
IN_THE_REPORT = {
    "Refund rate of the orders": "Refund rate by value",
    "Cart abandonment": "Cart abandonment rate",
}
"""Measures of the report that have another name here."""


@pytest.fixture(scope="module")
def folder(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "out"
    export(published, catalog.tables(), folder, ["parquet", "osi", "pbip"])
    return folder


@pytest.fixture(scope="module")
def con(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with a view per Parquet file, under the name of the table without its layer."""
    with duckdb.connect() as con:
        for file in (folder / "parquet").iterdir():
            con.execute(f"create view {file.name.split('.')[1]} as from '{file}'")
        yield con


def near(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, rel=1e-12)


@pytest.mark.slow
def test_a_measure_of_single_rows_is_the_column_of_the_table(con):
    compared = 0
    for measure in MEASURES:
        table, keys = measure.table.split(".")[1], ", ".join(catalog.tables()[measure.table].contract.primary_key)
        of_rows = f"select {keys}, ({measure.sql()})::double from {table} group by {keys} order by all"
        expected = con.sql(f"select {keys}, {measure.column}::double from {table} order by all").fetchall()
        assert con.sql(of_rows).fetchall() == [(*row[:-1], near(row[-1])) for row in expected], measure.name
        compared += any(row[-1] for row in expected)
    assert compared > len(MEASURES) - 10  # in so small a shop some are zero throughout


@pytest.mark.slow
def test_measures_over_many_days_are_the_figures_of_the_report(published, con):
    days = window(DAYS)
    shown = {measure.name: measure for measure in report.MEASURES}
    with open_snapshot(published) as snapshot:
        for name, of_report in shown.items():
            measure = BY_NAME[IN_THE_REPORT.get(name, name)]
            table = measure.table.split(".")[1]
            rows = f"where day = {day_literal(days.last)}" if measure.of_last_day else ""
            [(found,)] = con.sql(f"select ({measure.sql()})::double from {table} {rows}").fetchall()
            expected = report._value(snapshot, of_report, days)
            assert expected is None or found == near(float(expected)), name
            assert measure.table == of_report.table


def test_days_of_which_a_measure_is_unknown_are_counted():
    [of_sales, _] = UNKNOWN_DAYS
    with duckdb.connect() as con:
        con.execute("create table daily_sales (day date, net_sales decimal(18, 4))")
        con.execute("insert into daily_sales values ('2024-01-01', 1), ('2024-01-02', null), ('2024-01-02', null)")
        assert con.sql(f"select {of_sales.sql()}, {BY_NAME['Net sales'].sql()} from daily_sales").fetchall() == [(1, 1)]


def test_measures_are_what_they_say_in_dax():
    assert {name: BY_NAME[name].dax() for name in ("Net sales", "Average order value", "Stock value")} == {
        "Net sales": "SUM('daily_sales'[net_sales])",
        "Average order value": "DIVIDE(SUM('daily_sales'[gross_sales]) - SUM('daily_sales'[discounts]), "
        "SUM('daily_sales'[orders]))",
        "Stock value": "CALCULATE(SUM('daily_inventory'[stock_value]), "
        "TOPN(1, VALUES('daily_inventory'[day]), 'daily_inventory'[day]))",
    }
    assert BY_NAME["Customer acquisition cost"].dax() == (
        "IF(SUM('daily_acquisition'[spend]) <> 0, "
        "DIVIDE(SUM('daily_acquisition'[spend]), SUM('daily_acquisition'[new_customers])))"
    )
    assert BY_NAME["Cost per thousand impressions"].dax() == (
        "DIVIDE(SUM('daily_marketing'[spend]), SUM('daily_marketing'[impressions])) * 1000"
    )


ALLOWED = {
    "dataset": {"name", "source", "primary_key", "description", "fields"},
    "field": {"name", "expression", "dimension", "description"},
    "relationship": {"name", "from", "to", "from_columns", "to_columns"},
    "metric": {"name", "expression", "description", "ai_context"},
}
"""The words that the model uses, of those that the format has for each thing."""


@pytest.mark.slow
def test_the_osi_model_can_be_evaluated_and_refers_to_what_is_there(folder, con):
    told = yaml.safe_load((folder / "osi" / "ecom_assets.osi.yaml").read_text())
    assert told == semantic_model(catalog.tables(), exported(catalog.tables()))
    assert (told["version"], len(told["semantic_model"])) == ("0.1.1", 1)
    [model] = told["semantic_model"]
    fields = {one["name"]: [field["name"] for field in one["fields"]] for one in model["datasets"]}
    things = [("dataset", one) for one in model["datasets"]] + [("metric", one) for one in model["metrics"]]
    things += [("relationship", one) for one in model["relationships"]]
    things += [("field", field) for one in model["datasets"] for field in one["fields"]]

    for kind, thing in things:
        assert {*thing} == ALLOWED[kind]
        for expression in thing.get("expression", {}).get("dialects", []):
            assert {*expression} == {"dialect", "expression"}
            assert expression["dialect"] == "ANSI_SQL"
    for kind in ("datasets", "metrics", "relationships"):
        names = [one["name"] for one in model[kind]]
        assert len({*names}) == len(names)
    for one in model["datasets"]:
        assert con.sql(f"from {one['name']}").columns == fields[one["name"]]
        assert {*one["primary_key"]} <= {*fields[one["name"]]}
    for one in model["relationships"]:
        assert {*one["from_columns"]} <= {*fields[one["from"]]}
        assert {*one["to_columns"]} <= {*fields[one["to"]]}
    for one in model["metrics"]:
        [expression] = one["expression"]["dialects"]
        [table] = {*re.findall(r'"(\w+)"\."', expression["expression"])}
        assert con.sql(f"select {expression['expression']} from {table}").shape == (1, 1)
    assert {"net_sales", "average_order_value", "days_of_unknown_net_sales"} <= {m["name"] for m in model["metrics"]}
    assert not {"stock_value", "repeat_purchase_rate_to_date"} & {metric["name"] for metric in model["metrics"]}


TYPES = {"string": "VARCHAR", "int64": "BIGINT", "dateTime": "DATE|TIMESTAMP", "boolean": "BOOLEAN"}
TYPES |= {"decimal": r"DECIMAL\(\d+,4\)", "double": r"DOUBLE|DECIMAL\(18,10\)"}


def objects(text: str) -> list[tuple[str, str, str, dict[str, str]]]:
    """The objects of a TMDL file: kind, name, what is after the equals sign, and properties."""
    found: list[tuple[str, str, str, dict[str, str]]] = []
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip("\t"))
        assert "\t" not in line.lstrip("\t")
        assert not line.startswith(" ")
        declared = re.fullmatch(
            r"(table|column|measure|partition|relationship|expression) ('[^']+'|\S+)( = (.+))?", line.strip()
        )
        if declared and not line.strip().startswith("///"):
            found.append((declared[1], declared[2].strip("'"), declared[4] or "", {}))
        elif depth and found and (said := re.fullmatch(r"(\w+)(?:: (.+))?", line.strip())):
            found[-1][3][said[1]] = said[2] or ""
        else:
            assert re.match(r"\s*(///|let|in|Source =|Typed =|Rows|source =|$)", line), line
    return found


def test_the_power_bi_project_refers_to_what_is_there():
    files = project(catalog.tables(), exported(catalog.tables()))
    for name, text in files.items():
        if name.endswith((".pbip", ".pbism", ".pbir", ".json")):
            assert json.loads(text)["$schema"].endswith("/schema.json")
    report_folder = json.loads(files["shop.pbip"])["artifacts"][0]["report"]["path"]
    model = json.loads(files[f"{report_folder}/definition.pbir"])["datasetReference"]["byPath"]["path"]
    assert {f"{model.removeprefix('../')}/definition/model.tmdl", f"{report_folder}/definition/report.json"} <= {*files}

    definition = f"{model.removeprefix('../')}/definition"
    tables = {
        name.split("/")[-1].removesuffix(".tmdl"): objects(text)
        for name, text in files.items()
        if name.startswith(f"{definition}/tables/")
    }
    assert {*re.findall(r"ref table (\w+)", files[f"{definition}/model.tmdl"])} == {*tables}
    columns = {
        table: {name: told for kind, name, _, told in found if kind == "column"} for table, found in tables.items()
    }
    tags = re.findall(r"lineageTag: (\S+)", "".join(files.values()))
    assert len({*tags}) == len(tags) > 800
    for table in exported(catalog.tables()):
        told = columns[table.name.split(".")[1]]
        assert [*told] == [column.name for column in table.columns]
        for column in table.columns:
            assert re.fullmatch(TYPES[told[column.name]["dataType"]], column.sql_type)
            assert told[column.name]["sourceColumn"] == column.name
            assert told[column.name]["summarizeBy"] == "none"
        text = files[f"{definition}/tables/{table.name.split('.')[1]}.tmdl"]
        assert f'File.Contents(ParquetFolder & "\\{table.name}.parquet")' in text
    assert "each [customer_key] <> null" in files[f"{definition}/tables/dim_customer.tmdl"]

    related = objects(files[f"{definition}/relationships.tmdl"])
    assert len(related) == len(relationships(exported(catalog.tables()))) > 80
    for _, _, _, ends in related:
        for end in ("fromColumn", "toColumn"):
            table_name, column_name = ends[end].split(".")
            assert column_name in columns[table_name]
    measures = [(name, dax) for kind, name, dax, _ in tables["Measures"] if kind == "measure"]
    assert len({name.lower() for name, _ in measures} | {"measure"}) == len(measures) + 1
    assert [name for name, _ in measures] == [measure.name for measure in (*MEASURES, *UNKNOWN_DAYS)]
    for _, dax in measures:
        assert dax.count("(") == dax.count(")")
        used = re.findall(r"'(\w+)'\[(\w+)\]", dax)
        assert used
        assert all(column in columns[table] for table, column in used)


@pytest.mark.slow
def test_a_model_of_another_export_is_the_same(folder: Path) -> None:
    files: dict[str, Any] = project(catalog.tables(), exported(catalog.tables()))

    assert {name: (folder / "pbip" / name).read_text() for name in files} == files
