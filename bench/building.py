"""Tables built by the core alone, without Dagster, with the time of each step."""

import time
from pathlib import Path
from typing import Any

from bench.child import spending
from ecom_assets import catalog, settings
from ecom_assets.days import Window
from ecom_assets.publishing import snapshot as publishing
from ecom_assets.settings import Settings
from ecom_assets.warehouse.opening import open_session

MEMORY_LIMIT = "2GB"
HISTORY_MEMORY_LIMIT = "8GB"
"""Without a limit, DuckDB takes four fifths of the memory, and the rest of the process what is left."""


def bronze_to_kpi(home: Path, days: str) -> dict[str, Any]:
    """Builds every table over one window in an empty warehouse. Returns the time of each table and step."""
    window = Window.parse(days)
    known = Settings(home / "data", window.first, memory_limit=MEMORY_LIMIT)
    steps: list[tuple[str, str, float]] = []
    with open_session(known, catalog.tables()) as session, spending() as spent:
        for name in session.catalog.names:
            at = time.perf_counter()

            def note(step: str, name: str = name) -> None:
                nonlocal at
                now = time.perf_counter()
                steps.append((name, step, now - at))
                at = now

            session.on_step = note
            session.run(name, window)
        states = dict(session.con.execute("select state, count(*) from ledger.days group by all").fetchall())
        rows = dict(
            session.con.execute("select table_name, sum(row_count)::bigint from ledger.days group by 1").fetchall()
        )
    return {"wall": spent.wall, "cpu": spent.cpu, "steps": steps, "states": states, "rows": rows}


def history(home: Path, days: str, window_days: int) -> dict[str, Any]:
    """Runs all days of a home's landing zone up to a day, in windows, until nothing is stale; publishes twice.

    Twice, because two files alternate behind the snapshot, and in an older warehouse both are filled.
    """
    span = Window.parse(days)
    settings.save(Settings(home / "data", span.first))
    all_days = list(span)
    windows = [
        Window(all_days[n], all_days[min(n + window_days, len(span)) - 1]) for n in range(0, len(span), window_days)
    ]
    known = Settings(home / "data", span.first, memory_limit=HISTORY_MEMORY_LIMIT)
    with open_session(known, catalog.tables()) as session, spending() as spent:
        for name in session.catalog.names:
            for window in windows:
                session.run(name, window)
        for _ in range(2):
            publishing.publish(session, home / "data" / "snapshot.duckdb")
    return {"wall": spent.wall, "cpu": spent.cpu}
