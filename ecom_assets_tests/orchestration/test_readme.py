"""The example of a user's own asset in the README, as it is there."""

import re
import sys
from pathlib import Path

import dagster as dg
import pytest

import ecom_assets
from ecom_assets import catalog, own, settings
from ecom_assets.definitions import build
from ecom_assets.engine.duckdb.tables import columns_of
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.warehouse.opening import open_session

README = Path(ecom_assets.__file__).parent.parent / "README.md"
DAYS = "(values (date '2024-01-01'), (date '2024-01-02'), (date '2024-01-03')) days (day)"
ROWS = {
    "kpi.daily_sales": f"select day, 'web' as channel, 30.5 as net_sales from {DAYS}",
    "kpi.daily_customers": f"select day, day(day) as buyers from {DAYS}",
}


@pytest.mark.slow
def test_the_readmes_own_asset_is_loaded_run_and_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [example] = re.findall(r"## Your own asset\n.*?```python\n(.*?)```", README.read_text(), re.DOTALL)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "spend_per_buyer.py").write_text(example)
    monkeypatch.setattr(own, "__path__", [str(tmp_path / "own")])
    monkeypatch.setenv("ECOM_DATA", str(tmp_path))
    known = settings.load()
    with open_session(known, catalog.tables()) as session:
        for table, rows in ROWS.items():
            session.ensure(table, columns_of(session.catalog[table]))
            session.con.execute(f"insert into {table} by name {rows}")

    try:
        defs = build.__wrapped__(known)
        job = defs.resolve_implicit_global_asset_job_def()
        with dg.DagsterInstance.ephemeral() as instance:
            result = job.execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey(["research", "spend_per_buyer"])],
                tags={
                    "dagster/asset_partition_range_start": "2024-01-01",
                    "dagster/asset_partition_range_end": "2024-01-02",
                },
            )
    finally:
        sys.modules.pop("ecom_assets.own.spend_per_buyer", None)

    assert result.success
    with open_snapshot(known.snapshot) as con:
        found = con.execute("select day::varchar, spend from research.spend_per_buyer order by day").fetchall()
    assert found == [("2024-01-01", 30.5), ("2024-01-02", 15.25)]
