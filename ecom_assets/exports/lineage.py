"""What runs have made of what, as events of OpenLineage, from the published ledger.

https://openlineage.io/spec/2-0-2/OpenLineage.json
"""

import datetime as dt
import itertools
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any
from zoneinfo import ZoneInfo

from ecom_assets.days import ONE_DAY, Window, contiguous
from ecom_assets.declaration import Catalog, Declaration, Read
from ecom_assets.engine.duckdb.tables import columns_of
from ecom_assets.exports.writing import Exporting, Written
from ecom_assets.serving.ledger import ColumnSource, TableDay, column_lineage, table_days, time_zone

NAMESPACE = "ecom_assets"
PRODUCER = f"urn:{NAMESPACE}:{version('ecom_assets')}"
_SPEC = "https://openlineage.io/spec"
_FACETS: Mapping[str, str] = {
    "ColumnLineageDatasetFacet": "1-2-0/ColumnLineageDatasetFacet",
    "DataQualityAssertionsDatasetFacet": "1-1-0/DataQualityAssertionsDatasetFacet",
    "DatasetVersionDatasetFacet": "1-0-1/DatasetVersionDatasetFacet",
    "InputSubsetInputDatasetFacet": "1-0-0/BaseSubsetDatasetFacet",
    "NominalTimeRunFacet": "1-0-1/NominalTimeRunFacet",
    "OutputStatisticsOutputDatasetFacet": "1-0-2/OutputStatisticsOutputDatasetFacet",
    "OutputSubsetOutputDatasetFacet": "1-0-0/BaseSubsetDatasetFacet",
    "ParentRunFacet": "1-2-0/ParentRunFacet",
    "SchemaDatasetFacet": "1-2-0/SchemaDatasetFacet",
}
"""The facets that events have, with version and file of their schemas."""
_OF_ROWS = [{"type": "INDIRECT", "subtype": "GROUP_BY", "description": "Which rows there are", "masking": False}]
"""How a column depends on inputs of which it takes no value, such as a count."""

Event = dict[str, Any]


def openlineage(exporting: Exporting) -> Iterable[Written]:
    """Writes the events, one per line."""
    exporting.on_step("lineage")
    path = exporting.path("openlineage/events.jsonl")
    with path.open("w", encoding="utf-8") as file:
        for event in events(exporting):
            file.write(json.dumps(event, ensure_ascii=False) + "\n")
    yield Written(path)


def events(exporting: Exporting) -> Iterator[Event]:
    """Yields an event per run, table and window of days that the run was the last to write, good and bad apart.

    Equal ledgers give equal events.
    """
    con, catalog = exporting.con, exporting.catalog
    zone = ZoneInfo(time_zone(con))
    lineage: dict[str, list[ColumnSource]] = {}
    for source in column_lineage(con):
        lineage.setdefault(source.table, []).append(source)
    outputs = {table.name: _Output(table, catalog, lineage.get(table.name, [])) for table in catalog}
    days = [day for day in table_days(con) if day.table in catalog]
    calendar = Window(min(d.day for d in days), max(d.day for d in days)) if days else None
    for (_, table, _), group in itertools.groupby(days, key=lambda d: (d.run_id, d.table, d.is_good)):
        of_group = {day.day: day for day in group}
        for window in contiguous(of_group):
            assert calendar
            yield outputs[table].event([of_group[day] for day in window], window, calendar, zone)


def _facet(name: str, **content: Any) -> dict[str, Any]:
    schema = f"{_SPEC}/facets/{_FACETS[name]}.json#/$defs/{name}"
    return {"_producer": PRODUCER, "_schemaURL": schema, **content}


def _id(*names: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join((NAMESPACE, *names))))


def _moment(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


class _Output:
    """A table, and what all its events say alike."""

    def __init__(self, table: Declaration, catalog: Catalog, lineage: Sequence[ColumnSource]) -> None:
        self._table, self._catalog = table, catalog
        columns = table.contract.columns
        self._schema = _facet(
            "SchemaDatasetFacet",
            fields=[
                {"name": name, "type": sql_type}
                | ({"description": columns[name].description} if name in columns else {})
                for name, sql_type in columns_of(table).items()
            ],
        )
        fields = self._fields(lineage)
        self._lineage = _facet("ColumnLineageDatasetFacet", fields=fields) if fields else None
        self._assertions = [
            {"assertion": rule.id, "success": True, "severity": "error", "name": rule.id, "description": rule.sentence}
            | ({"column": rule.column} if rule.column else {})
            for rule in table.contract.hard_rules
        ]

    def _fields(self, lineage: Sequence[ColumnSource]) -> dict[str, Any]:
        """Returns the sources of each column. A column that takes no value from an input depends on its rows: its keys.

        Nothing is known of what Python code computes.
        """
        if self._table.is_bronze:
            landed = f"landing.{self._table.feed_name}"
            return {name: _sources([(landed, name)]) for name in self._table.contract.columns}
        if not lineage:
            return {}
        named: dict[str, list[tuple[str, str]]] = {}
        for source in lineage:
            named.setdefault(source.column, []).append((source.from_table, source.from_column))
        keys = [
            (read.table, key)
            for read in self._table.reads
            if read.parameter
            for key in self._catalog[read.table].contract.primary_key
        ]
        return {
            name: _sources(named[name]) if name in named else _sources(keys, _OF_ROWS)
            for name in self._table.contract.columns
        }

    def event(self, days: Sequence[TableDay], window: Window, calendar: Window, zone: ZoneInfo) -> Event:
        """Returns the event of a window that a run wrote, whose days are all good or all bad."""
        first, name = days[0], self._table.name
        begin, end = (dt.datetime.combine(day, dt.time(), zone) for day in (window.first, window.last + ONE_DAY))
        about_days = [
            {
                "day": str(day.day),
                "state": str(day.state),
                "inputs": str(day.inputs),
                "code": str(day.code),
                "content": None if day.content is None else str(day.content),
            }
            for day in days
        ]
        return {
            "eventType": "COMPLETE" if first.is_good else "FAIL",
            "eventTime": _moment(max(day.written_at for day in days).replace(tzinfo=dt.UTC)),
            "producer": PRODUCER,
            "schemaURL": f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": {
                "runId": _id(first.run_id, name, str(window)),
                "facets": {
                    "nominalTime": _facet(
                        "NominalTimeRunFacet", nominalStartTime=_moment(begin), nominalEndTime=_moment(end)
                    ),
                    "parent": _facet(
                        "ParentRunFacet",
                        run={"runId": _parent(first.run_id)},
                        job={"namespace": NAMESPACE, "name": "run"},
                    ),
                    "ecom_tableDays": {
                        "_producer": PRODUCER,
                        "_schemaURL": f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunFacet",
                        "days": about_days,
                    },
                },
            },
            "job": {"namespace": NAMESPACE, "name": name},
            "inputs": self._inputs(window, calendar),
            "outputs": [self._output(days)],
        }

    def _inputs(self, window: Window, calendar: Window) -> list[dict[str, Any]]:
        if self._table.is_bronze:
            return [{"namespace": NAMESPACE, "name": f"landing.{self._table.feed_name}"}]
        return [
            {"namespace": NAMESPACE, "name": read.table, "inputFacets": self._subset(read, window, calendar)}
            for read in self._table.reads
        ]

    def _subset(self, read: Read, window: Window, calendar: Window) -> dict[str, Any]:
        """Returns the days of an input that a window reads; of bronze its rows are read by another day."""
        if read.reach.by_event:
            return {}
        days = read.reach.window(window, calendar)
        column = self._catalog[read.table].contract.partition_column
        ends = (("GREATER_EQUAL_THAN", days.first), ("LESS_EQUAL_THAN", days.last))
        left, right = (
            {
                "left": {"field": column, "type": "field"},
                "right": {"value": str(day), "type": "literal"},
                "comparison": comparison,
                "type": "compare",
            }
            for comparison, day in ends
        )
        condition = {"left": left, "right": right, "operator": "AND", "type": "binary"}
        return {"subset": _facet("InputSubsetInputDatasetFacet", inputCondition=condition)}

    def _output(self, days: Sequence[TableDay]) -> dict[str, Any]:
        partitions = [
            {"dimensions": {self._table.contract.partition_column: str(day.day)}, "identifier": str(day.day)}
            for day in days
        ]
        rows = sum(day.rows for day in days)
        content = "/".join("-" if day.content is None else str(day.content) for day in days)
        facets = {
            "schema": self._schema,
            "version": _facet("DatasetVersionDatasetFacet", datasetVersion=_id(content)),
            "dataQualityAssertions": _facet("DataQualityAssertionsDatasetFacet", assertions=self._judged(days)),
        }
        if self._lineage:
            facets["columnLineage"] = self._lineage
        return {
            "namespace": NAMESPACE,
            "name": self._table.name,
            "facets": facets,
            "outputFacets": {
                "outputStatistics": _facet("OutputStatisticsOutputDatasetFacet", rowCount=rows),
                "subset": _facet(
                    "OutputSubsetOutputDatasetFacet",
                    outputCondition={"partitions": partitions, "type": "partition"},
                ),
            },
        }

    def _judged(self, days: Sequence[TableDay]) -> list[dict[str, Any]]:
        """Returns what is asserted of the days: that all rules hold, or on bad days what the ledger notes."""
        if days[0].is_good:
            return self._assertions
        return [
            {
                "assertion": "contract",
                "success": False,
                "severity": "error",
                "name": f"contract on {day.day}",
                "description": day.note,
            }
            for day in days
        ]


def _parent(run_id: str) -> str:
    """Returns the run as the UUID that the format wants, which a run of Dagster's has."""
    try:
        return str(uuid.UUID(run_id))
    except ValueError:
        return _id(run_id)


def _sources(columns: Iterable[tuple[str, str]], how: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    more = {"transformations": [*how]} if how else {}
    return {"inputFields": [{"namespace": NAMESPACE, "name": t, "field": c, **more} for t, c in columns]}
