"""Many processes run and many read, at once: nobody fails, nobody sees half a run."""

import multiprocessing as mp
import os
import time
import traceback
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ecom_assets import catalog
from ecom_assets.days import ONE_DAY, Window
from ecom_assets.publishing.snapshot import publish
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.settings import Settings
from ecom_assets.warehouse.opening import open_session
from ecom_assets_tests.warehouses import START, publishable, small_shop

DAYS = 3
SECONDS = float(os.environ.get("ECOM_TEST_SECONDS", "120"))


def _write(known: Settings, goals: Collection[str], worker: int, seconds: float, published: Any) -> int:
    """Run a day of the tables and publish, again and again."""
    tables, runs, until = publishable(*goals), 0, time.monotonic() + seconds
    while time.monotonic() < until:
        day = START + (worker + runs) % DAYS * ONE_DAY
        with open_session(known, tables, f"{worker}-{runs}") as session:
            for name in session.catalog.names:
                session.run(name, Window(day, day))
            publish(session, known.snapshot)
            (moment,) = _published(known)
            published.value = max(published.value, moment.timestamp())
        runs += 1
    return runs


def _published(known: Settings) -> tuple[Any]:
    with open_snapshot(known.snapshot) as con:
        return con.execute("select published_at from ledger.published").fetchall()[0]


def _read(known: Settings, goals: Collection[str], worker: int, seconds: float, published: Any) -> int:
    """Open the newest snapshot, and hold it against itself, again and again."""
    reads, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        last = published.value
        with open_snapshot(known.snapshot) as con:
            (moment,) = con.execute("select published_at from ledger.published").fetchall()[0]
            assert moment.timestamp() >= last, "an older run than the last published"
            _holds_together(con)
        reads += 1
    return reads


def _holds_together(con: duckdb.DuckDBPyConnection) -> None:
    sold = "select sum(gross_sales) from gold.fact_sales where is_valid"
    sums = f"select (select sum(gross_sales) from kpi.daily_sales), ({sold})"
    kpi, gold = con.execute(sums).fetchall()[0]
    assert kpi == gold
    for table, day in (("gold.fact_sales", "ordered_on"), ("kpi.daily_sales", "day")):
        different = con.execute(f"""
            select day, d.row_count, s.n from (
                select day, row_count from ledger.days
                where table_name = '{table}' and state in ('stored', 'provisional') and row_count > 0) d
            full join (select {day} as day, count(*) as n from {table} group by all) s using (day)
            where d.row_count is distinct from s.n""").fetchall()
        assert different == []


def _guarded(work: Callable[..., int], all_there: Any, told: Any, *given: Any) -> None:
    try:
        all_there.wait()
        told.put((work.__name__, work(*given), None))
    except BaseException:
        told.put((work.__name__, 0, traceback.format_exc()))


def run_together(folder: Path, goals: Collection[str], writers: int, readers: int, seconds: float) -> dict[str, int]:
    """Runs of what some tables need, and reads, that were done. Raises AssertionError with the first failure."""
    known = Settings(folder, start=START)
    small_shop(known.landing, DAYS)
    with open_session(known, publishable(*goals)) as session:
        for name in session.catalog.names:
            session.run(name, Window(START, START + (DAYS - 1) * ONE_DAY))
        publish(session, known.snapshot)
    context = mp.get_context("spawn")
    told, published = context.Queue(), context.Value("d", 0.0)
    works = [_write] * writers + [_read] * readers
    all_there = context.Barrier(len(works), timeout=200)
    processes = [
        context.Process(target=_guarded, args=(work, all_there, told, known, goals, n, seconds, published))
        for n, work in enumerate(works)
    ]
    for process in processes:
        process.start()
    found = [told.get(timeout=seconds + 300) for _ in processes]
    for process in processes:
        process.join()
    assert [failure for _, _, failure in found if failure] == []
    done = {"_write": 0, "_read": 0}
    for work, count, _ in found:
        done[work] += count
    return done


@pytest.mark.slow
def test_two_runs_and_three_readers_do_not_disturb_each_other(tmp_path: Path) -> None:
    done = run_together(tmp_path, ["kpi.daily_sales"], writers=2, readers=3, seconds=3)

    assert done["_read"] > 0


@pytest.mark.long
def test_eight_runs_and_twenty_readers_do_not_disturb_each_other(tmp_path: Path) -> None:
    done = run_together(tmp_path, catalog.tables().names, writers=8, readers=20, seconds=SECONDS)

    assert done["_write"] >= 8
    assert done["_read"] >= 20
