"""A user's own asset reads our tables as frames and stores one of its own."""

import datetime as dt
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import narwhals as nw
import pandas as pd
import polars as pl
import pytest
from filelock import FileLock, Timeout

from ecom_assets import settings
from ecom_assets.declaration import Catalog
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration.io_manager import Warehouse
from ecom_assets.publishing.snapshot import is_behind
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.warehouse.ledger import plain
from ecom_assets.warehouse.opening import open_session
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.orchestration.till import ASSETS, DECLARATIONS, PARTITIONS, TillWarehouse

pytestmark = pytest.mark.slow

FIRST, SECOND, THIRD = (dt.date(2024, 1, day) for day in (1, 2, 3))
BY_DAY: dict[str, Any] = {
    "partitions_def": PARTITIONS,
    "metadata": {"partition_expr": "day"},
    "io_manager_key": "warehouse",
    "pool": "warehouse",
    "backfill_policy": dg.BackfillPolicy.single_run(),
}
TAKINGS = dg.AssetIn(["gold", "takings"])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a till that has run: a receipt of each day, of 10.10, 20.10 and 30.10."""
    folder = tmp_path_factory.mktemp("built") / "data"
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        patch.setenv("ECOM_DATA", str(folder))
        for day in (FIRST, SECOND, THIRD):
            land(Zone(settings.load().landing), day, f"{day.day}0.10")
        assert run(instance, ASSETS, FIRST, THIRD).success
    return folder


@pytest.fixture
def zone(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zone:
    """The landing zone of a copy of the till's data."""
    shutil.copytree(built, tmp_path / "data")
    monkeypatch.setenv("ECOM_DATA", str(tmp_path / "data"))
    return Zone(settings.load().landing)


@pytest.fixture
def instance(zone: Zone) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def land(zone: Zone, day: dt.date, amount: str) -> None:
    zone.write("receipts", day, "till.csv", f"receipt_id,paid_at,amount\nr{day},{day}T09:00:00Z,{amount}\n".encode())


def run(
    instance: dg.DagsterInstance,
    assets: Any,
    first: dt.date | None = None,
    last: dt.date | None = None,
    warehouse: Warehouse | None = None,
) -> dg.ExecuteInProcessResult:
    """Some assets alone, over a range of days or without partitions."""
    start, end = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
    return dg.materialize(
        list(dict.fromkeys([*ASSETS, doubled, *assets])),
        instance=instance,
        selection=dg.AssetSelection.assets(*(key for one in assets for key in one.keys)),
        resources={"warehouse": warehouse or TillWarehouse()},
        tags={start: str(first), end: str(last or first)} if first else {},
        raise_on_error=False,
    )


def asked(query: str) -> list[tuple[Any, ...]]:
    with open_session(settings.load(), Catalog(DECLARATIONS)) as session:
        return session.con.execute(query).fetchall()


def published(query: str) -> list[tuple[Any, ...]]:
    with open_snapshot(settings.load().snapshot) as con:
        return con.execute(query).fetchall()


def why(result: dg.ExecuteInProcessResult) -> str:
    """The messages of the first failed step, the cause last."""
    [failed, *_] = result.get_step_failure_events()
    error, found = failed.step_failure_data.error, []
    while error:
        found.append(error.message)
        error = error.cause
    return " ".join(found)


def counts(result: dg.ExecuteInProcessResult, name: str) -> dict[str | None, Any]:
    """Partition to the number of rows that it reports."""
    return {
        one.partition: one.metadata["dagster/partition_row_count"].value
        for one in result.asset_materializations_for_node(name)
    }


@dg.asset(key_prefix="research", ins={"takings": TAKINGS}, **BY_DAY)
def doubled(takings: pd.DataFrame) -> pd.DataFrame:
    return takings.assign(amount=takings["amount"] * 2, note=None)


def test_an_asset_does_not_run_on_days_that_are_all_bad_and_skips_one_among_good_ones(
    instance: dg.DagsterInstance, zone: Zone
) -> None:
    land(zone, SECOND, "-20.10")
    run(instance, ASSETS, SECOND)

    result = run(instance, [doubled], SECOND)

    assert "gold.takings has no good rows on 2024-01-02" in why(result)
    assert run(instance, [doubled], FIRST, THIRD).success
    assert [day for (day,) in published("select day from research.doubled order by day")] == [FIRST, THIRD]


@dg.asset(key_prefix="research", ins={"takings": TAKINGS}, **BY_DAY)
def tripled(takings: pl.DataFrame) -> pl.DataFrame:
    return takings.select("day", amount=pl.col("amount") * 3)


@dg.asset(key_prefix="research", ins={"takings": TAKINGS}, **BY_DAY)
def lazily(takings: pl.LazyFrame) -> pl.LazyFrame:
    return takings.select("day", amount=pl.col("amount") * 4)


@dg.asset(key_prefix="research", ins={"takings": TAKINGS}, **BY_DAY)
def without_annotation(takings):  # type: ignore[no-untyped-def]
    assert isinstance(takings, nw.LazyFrame)
    return takings.select("day", amount=nw.col("amount") * 5)


ALL_KINDS = {doubled: 2, tripled: 3, lazily: 4, without_annotation: 5}


@pytest.mark.parametrize("own", ALL_KINDS, ids=lambda own: own.op.name)
def test_amounts_of_all_kinds_of_frames_stay_exact(own: dg.AssetsDefinition, instance: dg.DagsterInstance) -> None:
    result = run(instance, [own], FIRST, THIRD)

    assert result.success
    times, table = ALL_KINDS[own], own.key.to_user_string().replace("/", ".")
    want = [(FIRST, Decimal("10.10") * times), (SECOND, Decimal("20.10") * times), (THIRD, Decimal("30.10") * times)]
    assert asked(f"select day, amount from {table} order by day") == want
    assert asked(f"select distinct typeof(day), typeof(amount) from {table}") == [("DATE", "DECIMAL(18,4)")]
    assert counts(result, own.op.name) == {str(day): 1 for day in (FIRST, SECOND, THIRD)}
    [first, *_] = result.asset_materializations_for_node(own.op.name)
    assert "never stale" in str(first.metadata["outside the ledger"].value)
    assert asked(f"select count(*) from ledger.days where table_name = '{table}'") == [(0,)]


def test_partition_by_partition_gives_what_one_run_gives(instance: dg.DagsterInstance) -> None:
    for day in (THIRD, FIRST, SECOND, FIRST):
        assert run(instance, [doubled], day).success
    one_by_one = asked("from research.doubled order by day")

    assert run(instance, [doubled], FIRST, THIRD).success

    assert asked("from research.doubled order by day") == one_by_one
    assert len(one_by_one) == 3


@dg.asset(
    key_prefix="research",
    ins={
        "takings": dg.AssetIn(["gold", "takings"], partition_mapping=dg.TimeWindowPartitionMapping(start_offset=-1)),
        "receipts": dg.AssetIn(["silver", "receipts"]),
    },
    **BY_DAY,
)
def growth(takings: pl.DataFrame, receipts: pd.DataFrame) -> pl.DataFrame:
    days = pl.from_pandas(receipts).select(day="paid_on")
    return takings.sort("day").with_columns(grown=pl.col("amount").diff()).join(days, on="day")


def test_each_input_gives_the_rows_of_its_own_partitions(instance: dg.DagsterInstance) -> None:
    assert run(instance, [growth], SECOND, THIRD).success

    assert asked("select day, grown from research.growth order by day") == [(SECOND, 10), (THIRD, 10)]


@dg.asset(
    key_prefix="research",
    ins={"doubled": dg.AssetIn(["research", "doubled"])},
    io_manager_key="warehouse",
    pool="warehouse",
)
def whole(doubled: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"days": [len(doubled)], "amount": [doubled["amount"].sum()]})


def test_a_table_without_partitions_reads_all_partitions_and_is_replaced(instance: dg.DagsterInstance) -> None:
    assert run(instance, [doubled], FIRST, SECOND).success

    assert run(instance, [whole]).success
    assert run(instance, [whole]).success

    assert asked("from research.whole") == [(2, Decimal("60.40"))]


def test_what_has_changed_gets_into_the_snapshot(instance: dg.DagsterInstance, zone: Zone) -> None:
    assert run(instance, [doubled], FIRST, SECOND).success
    assert published("select count(*) from research.doubled") == [(2,)]
    assert published("select count(*) from gold.takings") == [(3,)]

    assert run(instance, [doubled], THIRD).success
    assert published("select count(*) from research.doubled") == [(3,)]

    assert run(instance, ASSETS, FIRST).success
    assert published("select count(*) from research.doubled") == [(3,)]
    assert published("select table_name from ledger.plain_tables") == [("research.doubled",)]


def test_a_plain_table_that_was_written_and_not_published_leaves_the_snapshot_behind(
    instance: dg.DagsterInstance,
) -> None:
    assert run(instance, [doubled], FIRST).success

    with open_session(settings.load(), Catalog(DECLARATIONS)) as session:
        assert not is_behind(session, settings.load().snapshot)
        plain.record(session.con, "research.doubled", session.now())
        assert is_behind(session, settings.load().snapshot)


class Interrupted(TillWarehouse):
    """A warehouse whose writes end at a step."""

    at: str

    def session(self, run_id: str) -> Session:
        session = super().session(run_id)

        def interrupt(step: str) -> None:
            if step == self.at:
                raise KeyError(f"interrupted at {step}")

        session.on_step = interrupt
        return session


@pytest.mark.parametrize("step", ["rows deleted", "rows inserted", "before commit"])
def test_a_write_that_is_interrupted_leaves_the_old_rows(step: str, instance: dg.DagsterInstance, zone: Zone) -> None:
    assert run(instance, [doubled], FIRST, THIRD).success
    before = asked("from research.doubled order by day")
    land(zone, SECOND, "99.00")
    assert run(instance, ASSETS, SECOND).success

    result = run(instance, [doubled], FIRST, THIRD, Interrupted(at=step))

    assert f"interrupted at {step}" in why(result)
    assert asked("from research.doubled order by day") == before
    assert run(instance, [doubled], FIRST, THIRD).success
    assert asked("select amount from research.doubled where day = '2024-01-02'") == [(198,)]


def test_the_lock_is_held_while_a_plain_asset_works(instance: dg.DagsterInstance) -> None:
    @dg.asset(key_prefix="research", ins={"takings": TAKINGS}, **BY_DAY)
    def locked(takings: pl.DataFrame) -> pl.DataFrame:
        with pytest.raises(Timeout):
            FileLock(settings.load().data / "warehouse.lock", thread_local=False).acquire(timeout=0)
        return takings

    assert run(instance, [locked], FIRST).success

    with FileLock(settings.load().data / "warehouse.lock", thread_local=False).acquire(timeout=0):
        pass


def returning(frame: Any, **options: Any) -> dg.AssetsDefinition:
    @dg.asset(name="given", **{"key_prefix": "research", **BY_DAY, **options})
    def given():  # type: ignore[no-untyped-def]
        return frame

    return given


def in_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    return frame.to_pandas(use_pyarrow_extension_array=True)


FRAME = pl.DataFrame({"day": [FIRST], "shop": ["corner"], "sold": [1]})


def test_columns_go_by_name_and_new_ones_are_added(instance: dg.DagsterInstance) -> None:
    assert run(instance, [returning(FRAME)], FIRST).success

    other = FRAME.select("sold", "shop", "day", later=2.5).with_columns(day=SECOND)
    assert run(instance, [returning(other)], SECOND).success
    assert run(instance, [returning(in_pandas(other.with_columns(day=THIRD, shop=None)))], THIRD).success

    assert asked("from research.given order by day") == [
        (FIRST, "corner", 1, None),
        (SECOND, "corner", 1, 2.5),
        (THIRD, None, 1, 2.5),
    ]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (FRAME.with_columns(sold=1.5), "research.given.sold is stored as BIGINT, and given as DOUBLE; cast it."),
        (FRAME.drop("shop"), "research.given: the frame has no column shop; it has day, sold."),
        (
            FRAME.with_columns(day=SECOND),
            "research.given: 1 of 1 rows are outside the partitions of the run, by day.",
        ),
        (None, "research/given returns no frame."),
    ],
)
@pytest.mark.parametrize("is_pandas", [False, True])
def test_what_would_store_wrong_rows_is_refused(
    frame: Any, expected: str, is_pandas: bool, instance: dg.DagsterInstance
) -> None:
    assert run(instance, [returning(FRAME)], FIRST).success

    result = run(instance, [returning(in_pandas(frame) if is_pandas and frame is not None else frame)], FIRST)

    assert expected in why(result)
    assert asked("from research.given") == [(FIRST, "corner", 1)]


@pytest.mark.parametrize("schema", ["gold", "Kpi", "quarantine", "ledger", "held", "superseded"])
def test_a_table_of_the_platform_is_not_overwritten(schema: str, instance: dg.DagsterInstance) -> None:
    result = run(instance, [returning(FRAME, key_prefix=schema)], FIRST)

    assert f"{schema}.given: the schema {schema} is the platform's. Give the asset another key_prefix" in why(result)


def test_a_day_without_rows_is_stored_and_read_as_one(instance: dg.DagsterInstance) -> None:
    empty = FRAME.clear().with_columns(note=None)
    assert run(instance, [returning(empty)], FIRST).success
    assert asked("select count(*) from duckdb_tables() where schema_name = 'research'") == [(0,)]

    assert run(instance, [returning(FRAME.with_columns(note=None))], FIRST).success
    assert run(instance, [returning(empty)], FIRST).success

    assert asked("select count(*) from research.given") == [(0,)]


def test_an_input_that_was_never_stored_is_named(instance: dg.DagsterInstance) -> None:
    assert "research.doubled: nothing has been stored yet." in why(run(instance, [whole]))


def test_a_table_that_reads_its_own_days_reads_them_before_they_are_replaced(instance: dg.DagsterInstance) -> None:
    @dg.asset(key_prefix="research", ins={"old": dg.AssetIn(["research", "doubled"])}, **BY_DAY)
    def again(old: nw.LazyFrame) -> nw.LazyFrame:
        return old.with_columns(amount=nw.col("amount") + 1)

    assert run(instance, [doubled], FIRST).success
    assert run(instance, [again], FIRST).success

    assert asked("select amount from research.again") == [(Decimal("21.20"),)]
