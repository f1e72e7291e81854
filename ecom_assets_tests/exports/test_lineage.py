"""Events of OpenLineage: as its Python client would write them, and what the ledger says."""

import importlib
import json
import types
import typing
import uuid
from pathlib import Path
from typing import Any

import attr
import pytest

from ecom_assets import catalog
from ecom_assets.engine.duckdb.tables import columns_of
from ecom_assets.exports.export import export
from ecom_assets.publishing.snapshot import publish
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.settings import Settings
from ecom_assets.warehouse.proof import settle
from ecom_assets_tests.tiny_shop import on, open_shop, order, tables

pytest.importorskip("openlineage.client", reason="openlineage-python is not installed")
from openlineage.client import event_v2
from openlineage.client.serde import Serde

MODULES = [
    importlib.import_module(f"openlineage.client.generated.{name}")
    for name in (
        *("base_subset_dataset", "column_lineage_dataset", "data_quality_assertions_dataset"),
        *("dataset_version_dataset", "nominal_time_run", "output_statistics_output_dataset", "parent_run"),
        "schema_dataset",
    )
]
CONDITIONS = {"binary": "BinarySubsetCondition", "compare": "CompareSubsetCondition"}
CONDITIONS |= {"partition": "PartitionSubsetCondition", "field": "FieldBaseCompareExpression"}
CONDITIONS |= {"literal": "LiteralCompareExpression"}


def class_of(name: str) -> Any:
    return next(vars(module)[name] for module in MODULES if name in vars(module))


def made(cls: Any, told: Any) -> Any:
    """An object of the client's class, made of what an event says; raises TypeError for what the class has not."""
    origin, of = typing.get_origin(cls), typing.get_args(cls)
    if origin in (types.UnionType, typing.Union):
        kinds = [kind for kind in of if kind is not type(None)]
        if isinstance(told, dict) and "type" in told and told["type"] in CONDITIONS:
            return made(class_of(CONDITIONS[told["type"]]), told)
        return made(kinds[0], told)
    if origin is list:
        return [made(of[0], one) for one in told]
    if origin is dict:
        return {name: made(of[1], one) for name, one in told.items()}
    if not attr.has(cls):
        return told
    if set(told) >= {"_schemaURL"}:
        cls = class_of(told["_schemaURL"].rpartition("/")[2])
        assert cls._get_schema() == told["_schemaURL"]
    hints = typing.get_type_hints(cls)
    given = {name.removeprefix("_"): made(hints[name], one) for name, one in told.items() if name != "_schemaURL"}
    return cls(**given)


def event_of(told: dict[str, Any]) -> Any:
    """The client's event; our own facet, which it does not know, is left out."""
    run = {**told["run"], "facets": {n: f for n, f in told["run"]["facets"].items() if not n.startswith("ecom_")}}
    hints = typing.get_type_hints(event_v2.RunEvent)
    given = {**told, "run": run}
    state = event_v2.RunState(given.pop("eventType"))
    assert given.pop("schemaURL") == event_v2.RunEvent._get_schema()
    return event_v2.RunEvent(eventType=state, **{name: made(hints[name], one) for name, one in given.items()})


def filled(told: Any) -> Any:
    """What is said, without what is empty."""
    if isinstance(told, dict):
        return {name: found for name, one in told.items() if (found := filled(one)) not in ({}, [])}
    return [filled(one) for one in told] if isinstance(told, list) else told


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "openlineage" / "events.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_events_are_those_of_the_client_with_partitions_and_hashes(published, tmp_path):
    for folder in ("first", "second"):
        export(published, catalog.tables(), tmp_path / folder, ["openlineage"])
    found = events(tmp_path / "first")

    assert found == events(tmp_path / "second")
    for told in found:
        written = filled(Serde.to_dict(event_of(told)))
        ours = told["run"]["facets"].pop("ecom_tableDays")
        assert written == filled(told)
        [output] = told["outputs"]
        partitions = output["outputFacets"]["subset"]["outputCondition"]["partitions"]
        assert [one["identifier"] for one in partitions] == [day["day"] for day in ours["days"]]
    assert len({told["run"]["runId"] for told in found}) == len(found)
    with open_snapshot(published) as con:
        rows = con.sql("select table_name, day::varchar, inputs::varchar, content::varchar from ledger.days").fetchall()
    told_days = {
        (told["job"]["name"], day["day"], day["inputs"], day["content"])
        for told in events(tmp_path / "first")
        for day in told["run"]["facets"]["ecom_tableDays"]["days"]
    }
    assert told_days == {*rows}


@pytest.mark.slow
def test_nearly_all_columns_say_where_they_come_from(published, tmp_path):
    export(published, catalog.tables(), tmp_path / "out", ["openlineage"])

    sources: dict[str, dict[str, Any]] = {}
    for told in events(tmp_path / "out"):
        facet = told["outputs"][0]["facets"].get("columnLineage", {"fields": {}})
        sources[told["job"]["name"]] = {name: found["inputFields"] for name, found in facet["fields"].items()}
    made_of_tables = [table for table in catalog.tables() if table.reads and not table.is_eager]
    columns = [(table.name, name) for table in made_of_tables for name in table.contract.columns]
    without = [(table, name) for table, name in columns if not sources[table].get(name)]
    assert len(without) <= len(columns) * 0.01
    for table in made_of_tables:
        read = {read.table for read in table.reads}
        for name, found in sources[table.name].items():
            for source in found:
                assert source["name"] in read
                assert source["field"] in columns_of(catalog.tables()[source["name"]]), (table.name, name)


def test_an_event_tells_a_window_of_one_run_and_bad_days_apart(tmp_path):
    known = Settings(tmp_path / "data")
    known.data.mkdir()
    with open_shop(known.data, warehouse=known.warehouse, run_id="2f0d3cc1-6a5c-4f0e-9a65-0d9c7d3f2a11") as shop:
        for day, amount in enumerate((10, 20, 5_000, 30)):
            shop.land_customers(day)
            shop.land_orders(day, order(day, day, amount=amount))
        settle(shop.session)
        publish(shop.session, known.snapshot)
    export(known.snapshot, tables(), tmp_path / "out", ["openlineage"])

    found = [told for told in events(tmp_path / "out") if told["job"]["name"] == "gold.sales"]
    spans = [
        tuple(told["run"]["facets"]["nominalTime"][f"nominal{end}Time"] for end in ("Start", "End")) for told in found
    ]
    assert [told["eventType"] for told in found] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert spans[1] == (f"{on(2)}T00:00:00Z", f"{on(3)}T00:00:00Z")
    assert {told["run"]["facets"]["parent"]["run"]["runId"] for told in found} == {
        str(uuid.UUID("2f0d3cc1-6a5c-4f0e-9a65-0d9c7d3f2a11"))
    }
    [good, bad, _] = [told["outputs"][0]["facets"]["dataQualityAssertions"]["assertions"] for told in found]
    assert {one["success"] for one in good} == {True}
    assert "is_small" in {one["assertion"] for one in good}
    assert [(one["success"], "less than a thousand" in one["description"]) for one in bad] == [(False, True)]
    condition = found[0]["inputs"][0]["inputFacets"]["subset"]["inputCondition"]
    assert [condition[side]["right"]["value"] for side in ("left", "right")] == [str(on(0)), str(on(1))]
