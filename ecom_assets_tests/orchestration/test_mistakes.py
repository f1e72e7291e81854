"""A mistake in the code of a table stops this table alone, and is told with its file and line."""

import datetime as dt
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import dagster as dg
import narwhals as nw
import polars as pl
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from ecom_assets import catalog, settings
from ecom_assets.days import Window
from ecom_assets.declaration import Declaration
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration._dagster import REPAIR_TAG
from ecom_assets.orchestration.alerts import report_failures
from ecom_assets.orchestration.assets import table_assets
from ecom_assets.orchestration.executor import verdict_executor
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.table_asset import table_asset
from ecom_assets_tests.orchestration.test_partition_states import BAD, GOOD, retrying_instance, why_it_failed
from ecom_assets_tests.orchestration.till import DECLARATIONS, PARTITIONS, Report, Takings, warehouse_of

TWO_DAYS = Window.parse("2024-01-01..2024-01-02")
OLD, NEW = TWO_DAYS


class Count(Takings, name="gold.count", primary_key="day", partition_column="day"):
    """One row per day with a receipt."""


def counted(silver_receipts: nw.LazyFrame) -> nw.LazyFrame:
    amount = nw.col("amount").count().cast(nw.Decimal(18, 4))
    return silver_receipts.group_by(nw.col("paid_on").alias("day")).agg(amount)


def misspelt(silver_receipts: nw.LazyFrame) -> nw.LazyFrame:
    return silver_receipts.select(day="paid_on", amount="amuont")


def failing(silver_receipts: pl.DataFrame) -> pl.DataFrame:
    return silver_receipts.select(day="paid_on", amount=pl.lit(1 // len([])))


def report(gold_takings: nw.LazyFrame) -> nw.LazyFrame:
    return gold_takings


SOUND = [*DECLARATIONS, table_asset(Count, counted)]


def with_takings(transform: Callable[..., object]) -> list[Declaration]:
    return [*DECLARATIONS[:2], table_asset(Takings, transform), table_asset(Report, report), SOUND[-1]]


@pytest.fixture
def zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zone:
    monkeypatch.setenv("ECOM_DATA", str(tmp_path))
    return Zone(settings.load().landing)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with retrying_instance(tmp_path / "dagster") as instance:
        yield instance


def land(zone: Zone, day: dt.date) -> None:
    zone.write("receipts", day, "till.csv", f"receipt_id,paid_at,amount\nr{day},{day}T09:00:00Z,10.00\n".encode())


def run(instance: dg.DagsterInstance, declarations: Sequence[Declaration], days: Window, **tags: str) -> bool:
    assets = table_assets(declarations, PARTITIONS)
    defs = dg.Definitions(assets, resources={"warehouse": warehouse_of(declarations)}, executor=verdict_executor)
    job = defs.resolve_implicit_global_asset_job_def()
    first, last = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
    planned = instance.create_run_for_job(job, tags={first: str(days.first), last: str(days.last), **tags})
    return execute_run(InMemoryJob(job), planned, instance).success


def published(table: str) -> list[str]:
    """The days of which readers find rows."""
    with open_snapshot(settings.load().snapshot) as con:
        return [str(day) for (day,) in con.execute(f"select day from {table} order by day").fetchall()]


def states(instance: dg.DagsterInstance, asset: str) -> list[str | None]:
    days = list(map(str, TWO_DAYS))
    found = instance.get_status_by_partition(dg.AssetKey(asset.split("/")), days, PARTITIONS) or {}
    return [status.value if (status := found.get(day)) else None for day in days]


def messages() -> list[str]:
    path = settings.load().alerts
    lines = path.read_text().splitlines() if path.exists() else []
    return [f"{told['kind']}: {told['what']}" for told in map(json.loads, lines)]


@pytest.mark.slow
@pytest.mark.parametrize(("transform", "error"), [(misspelt, "ColumnNotFoundError"), (failing, "ZeroDivisionError")])
def test_a_mistake_stops_its_table_alone_until_it_is_mended(
    transform: Callable[..., object], error: str, instance: dg.DagsterInstance, zone: Zone
) -> None:
    land(zone, OLD)
    assert run(instance, SOUND, Window(OLD, OLD))
    land(zone, NEW)

    assert not run(instance, with_takings(transform), TWO_DAYS, **{REPAIR_TAG: "true"})

    assert published("gold.count") == [str(OLD), str(NEW)]
    assert published("gold.takings") == published("kpi.report") == [str(OLD)]
    assert states(instance, "gold/count") == [GOOD, GOOD]
    assert states(instance, "gold/takings") == [GOOD, BAD]
    line = transform.__code__.co_firstlineno + 1
    assert f"gold.takings cannot run: {__file__}, line {line}: {error}" in why_it_failed(instance)
    report_failures.evaluate_tick(dg.build_sensor_context(instance))
    [told] = [message for message in messages() if "cannot run" in message]
    assert told.startswith("firing: gold.takings cannot run: ")

    assert run(instance, SOUND, TWO_DAYS, **{REPAIR_TAG: "true"})

    assert published("gold.takings") == published("kpi.report") == [str(OLD), str(NEW)]
    assert states(instance, "gold/takings") == [GOOD, GOOD]
    report_failures.evaluate_tick(dg.build_sensor_context(instance))
    assert any(message.startswith("resolved: gold.takings cannot run") for message in messages())


@pytest.mark.parametrize(
    ("text", "complaint"), [("one = (\n", "line 1: SyntaxError"), ("\none = two\n", "line 2: NameE")]
)
def test_a_file_that_cannot_be_loaded_is_named(
    text: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"table_of_{len(text)}"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(catalog.NotLoadable, match=rf"{name}\.py, {complaint}.*No table can run before"):
        catalog.imported(name)
