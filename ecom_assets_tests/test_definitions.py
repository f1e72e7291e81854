"""Everything loads as the server loads it, and runs when it should."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest

from ecom_assets import catalog
from ecom_assets.definitions import build, defs
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration.assets import partitions_of
from ecom_assets.orchestration.jobs import JOBS
from ecom_assets.orchestration.landing_assets import landing_asset
from ecom_assets.settings import Settings
from ecom_assets.shop.scale import Scale
from ecom_assets.shop.shop import Shop
from ecom_assets.sources.synthetic import save_shop

DAY = "2024-01-02"
TINY = Scale(
    orders_per_day=2,
    customers_at_start=5,
    customers_per_day=1,
    products_at_start=5,
    products_per_day=1,
    merged_share=0.1,
)


KNOWN = Settings(Path())
DEFS = build(KNOWN)


def assets_of(job: str) -> set[str]:
    return {key.to_user_string() for key in DEFS.resolve_job_def(job).asset_layer.executable_asset_keys}


def test_everything_loads_as_the_server_loads_it() -> None:
    dg.Definitions.validate_loadable(defs())


def test_the_calendar_is_that_of_the_settings_given() -> None:
    spring = build(Settings(Path(), start=dt.date(2023, 3, 1), end=dt.date(2023, 5, 31), time_zone="Europe/Berlin"))
    partitioned = [spec.partitions_def for spec in spring.resolve_all_asset_specs() if spec.partitions_def]

    assert {tuple(days.get_partition_keys()[::91]) for days in partitioned} == {("2023-03-01", "2023-05-31")}
    assert {schedule.execution_timezone for schedule in spring.get_repository_def().schedule_defs} == {"Europe/Berlin"}


def test_each_table_is_an_asset_and_the_pipeline_runs_them_all() -> None:
    tables = {name.replace(".", "/") for name in catalog.tables().names}

    assert tables <= assets_of("pipeline")
    assert {f"landing/{table.partition('/')[2]}" for table in tables if table.startswith("bronze/")} <= assets_of(
        "pipeline"
    )


def test_the_parts_of_the_pipeline_are_the_layers_that_they_are_called_after() -> None:
    first, second, third = map(assets_of, ("bronze_to_silver", "silver_to_gold", "ml_feature_generation"))
    fourth, fifth = map(assets_of, ("ml_training", "ml_scoring"))

    assert {asset.partition("/")[0] for asset in first} == {"bronze", "silver", "quarantine"}
    assert {asset.partition("/")[0] for asset in second} == {"gold", "kpi"}
    assert {asset.partition("/")[0] for asset in third} == {"features"}
    assert {asset.partition("/")[0] for asset in fourth | fifth} == {"predictions"}
    assert fourth.isdisjoint(fifth)
    parts = first | second | third | fourth | fifth
    assert {asset for asset in assets_of("pipeline") if not asset.startswith("landing/")} == parts


def test_quality_is_judged_in_a_job_of_its_own() -> None:
    assert assets_of("data_quality") == {
        f"quality/{name}" for name in ("data_quality", "detection", "monitoring_report", "profiles", "truth_scores")
    }


def test_exports_are_made_in_jobs_of_their_own() -> None:
    for name, asset in {
        "export": "exports/files",
        "publish_to_postgres": "exports/postgres",
        "extract": "extracts/database",
    }.items():
        assert assets_of(name) == {asset}
        assert not any(asset in assets_of(job.name) for job in JOBS if job.name != name)


def test_all_that_runs_by_itself_is_switched_on_but_for_exports_and_what_each_night_does() -> None:
    repository = DEFS.get_repository_def()

    stopped = {schedule.name for schedule in repository.schedule_defs if schedule.default_status.value != "RUNNING"}
    assert stopped == {
        "export_every_morning",
        "publish_to_postgres_every_hour",
        "extract_every_quarter_of_an_hour",
        "train_every_week",
        "predict_every_week",
    }
    assert {sensor.name for sensor in repository.sensor_defs} == {
        *("run_new_files", "run_stale_days", "report_failures", "write_monitoring_report", "show_ledger")
    }
    assert {sensor.default_status.value for sensor in repository.sensor_defs} == {"RUNNING"}


def test_all_that_runs_by_itself_says_what_it_does() -> None:
    repository = DEFS.get_repository_def()
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]

    for one in (*repository.schedule_defs, *repository.sensor_defs, *jobs):
        assert one.description, one.name


def requests_of(moment: str, schedule: str = "yesterday_every_night") -> list[dg.RunRequest]:
    tick = dt.datetime.fromisoformat(f"{moment}+00:00")
    with dg.build_schedule_context(scheduled_execution_time=tick, repository_def=DEFS.get_repository_def()) as context:
        return list(DEFS.resolve_schedule_def(schedule).evaluate_tick(context).run_requests or [])


@pytest.mark.parametrize(("night", "day"), [("2024-01-03", DAY), ("2024-03-01", "2024-02-29")])
def test_the_night_runs_the_day_before(night: str, day: str) -> None:
    [request] = requests_of(f"{night} 02:00")

    assert request.partition_key == day


def test_nothing_runs_on_nights_before_the_first_day() -> None:
    assert requests_of("2023-12-31 02:00") == []


def test_each_morning_waits_for_something_that_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECOM_DATA", str(tmp_path))
    for schedule in ("quality_every_morning", "export_every_morning"):
        assert requests_of("2024-01-03 06:00", schedule) == []

    Settings(tmp_path).snapshot.touch()

    for schedule in ("quality_every_morning", "export_every_morning"):
        assert len(requests_of("2024-01-03 06:00", schedule)) == 1


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ECOM_DATA", str(tmp_path))
    return Settings(tmp_path).landing


def landed(partition: str) -> dict[str, dict[str, int]]:
    """What landing a day says of each feed."""
    landing = landing_asset(catalog.tables(), partitions_of(KNOWN.calendar, KNOWN.time_zone))
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([landing], partition_key=partition, instance=instance)
    told = [event.step_materialization_data.materialization for event in result.get_asset_materialization_events()]
    return {one.asset_key.path[-1]: {name: one.metadata[name].value for name in ("files", "bytes")} for one in told}


def test_each_landed_day_has_its_own_files_and_bytes(root: Path) -> None:
    for day, text in (("2024-01-01", b"order_id\n1\n"), (DAY, b"order_id\n10\n11\n")):
        Zone(root).write("orders", dt.date.fromisoformat(day), "orders.csv", text)
    landing = landing_asset(catalog.tables(), partitions_of(KNOWN.calendar, KNOWN.time_zone))
    days = {"dagster/asset_partition_range_start": "2024-01-01", "dagster/asset_partition_range_end": "2024-01-03"}
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([landing], tags=days, instance=instance, selection=["landing/orders"])

    told = [event.step_materialization_data.materialization for event in result.get_asset_materialization_events()]
    assert [(one.partition, one.metadata["files"].value, one.metadata["bytes"].value) for one in told] == [
        *(("2024-01-01", 1, 11), (DAY, 1, 15), ("2024-01-03", 0, 0))
    ]


@pytest.mark.slow
def test_a_shop_lands_the_files_of_the_day(root: Path) -> None:
    save_shop(root, Shop(dt.date(2024, 1, 1), preset=TINY))

    said = landed(DAY)

    assert {name: feed["files"] for name, feed in said.items()} == {
        **dict.fromkeys(Zone(root).feeds(), 1),
        "exchange_rates": 0,
    }
    assert Zone(root).days("orders") == [dt.date.fromisoformat(DAY)]


@pytest.mark.slow
def test_landing_a_day_again_leaves_a_file_that_somebody_has_changed(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save_shop(root, Shop(dt.date(2024, 1, 1), preset=TINY))
    landed(DAY)
    [mended], [lost] = ([*(root / feed / DAY).iterdir()] for feed in ("customers", "products"))
    mended.write_text("customer_id\nmended by hand\n")
    lost.unlink()

    landed(DAY)

    assert mended.read_text() == "customer_id\nmended by hand\n"
    assert f"{mended} has been changed, and stays as it is." in caplog.text
    assert lost.exists()


def test_without_a_shop_landing_says_what_others_have_landed(root: Path) -> None:
    Zone(root).write("orders", dt.date.fromisoformat(DAY), "orders.csv", b"order_id\n1\n")

    said = landed(DAY)

    assert said["orders"] == {"files": 1, "bytes": 11}
    assert said["events"] == {"files": 0, "bytes": 0}
    assert Zone(root).feeds() == ["orders"]
