"""Ticks of sensors and schedules in one process, as in Dagster's code server."""

import datetime as dt
import time
from pathlib import Path
from statistics import median
from typing import Any

import dagster as dg
import duckdb

from ecom_assets import catalog, settings
from ecom_assets.days import Window
from ecom_assets.definitions import build
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration.home import in_dagster_home
from ecom_assets.settings import Settings

SETTLED_SECONDS = 3
"""After this time, files are known not to change unseen."""


def ticks(home: Path, repeats: int) -> dict[str, Any]:
    """Returns the processor seconds of a tick of each sensor and schedule, the median after a first one."""
    time.sleep(SETTLED_SECONDS)
    defs = build(settings.load())
    repository, found = defs.get_repository_def(), {}
    with in_dagster_home() as instance:
        for sensor in repository.sensor_defs:
            cursor, spent = None, []
            for _ in range(repeats + 1):
                context = dg.build_sensor_context(instance, cursor, definitions=defs)
                at = time.process_time()
                cursor = sensor.evaluate_tick(context).cursor
                spent.append(time.process_time() - at)
            found[sensor.name] = median(spent[1:])
        for schedule in repository.schedule_defs:
            spent = []
            for _ in range(repeats + 1):
                moment = dt.datetime.now(dt.UTC)
                with dg.build_schedule_context(
                    instance, scheduled_execution_time=moment, repository_def=repository
                ) as context:
                    at = time.process_time()
                    schedule.evaluate_tick(context)
                    spent.append(time.process_time() - at)
            found[schedule.name] = median(spent[1:])
    return {"cpu": found}


def many_files(home: Path, files: int, days: str) -> dict[str, Any]:
    """Lands so many small files over a window, and makes a snapshot whose ledger has read them.

    Returns the number of files, and of the ledger's table-days, those of all tables.
    """
    window, feeds = Window.parse(days), catalog.tables().feeds
    settings.save(Settings(home / "data", window.first))
    known = settings.load()
    a_day = -(-files // (len(window) * len(feeds)))
    for feed in feeds:
        for day in window:
            folder = known.landing / feed / str(day)
            folder.mkdir(parents=True)
            for number in range(a_day):
                (folder / f"{number}.csv").write_text(f"id\n{feed} {day} {number}\n")
    zone = Zone(known.landing)
    read = {
        (f"bronze.{feed}", day): inputs
        for feed in feeds
        for day, inputs in zone.fingerprint(feed, window.first, window.last, window.first).items()
    }
    made = [(name, day) for name in catalog.tables().names for day in window]
    with duckdb.connect(known.snapshot) as con:
        con.execute("""
            create schema ledger;
            create table ledger.days (table_name varchar, day date, state varchar, inputs hugeint, bad_count bigint,
                                      run_id varchar, written_at timestamp);
            create table ledger.stale (table_name varchar, day date, why varchar);
            create table ledger.arrivals (table_name varchar, arrived_on date, event_on date);
            create table ledger.published as select null::varchar as made_of;
        """)
        columns = [[name for name, _ in made], [day for _, day in made], [str(read.get(one, 0)) for one in made]]
        con.execute(
            "insert into ledger.days "
            "select unnest(?), unnest(?), 'stored', unnest(?)::hugeint, 0, 'a run', now()::timestamp",
            columns,
        )
        con.execute("insert into ledger.arrivals select table_name, day, day from ledger.days where inputs <> 0")
    return {"files": a_day * len(window) * len(feeds), "table_days": len(made)}
