"""Profiles of all published tables."""

from pathlib import Path
from typing import Any

from bench.child import spending
from ecom_assets import catalog, settings
from ecom_assets.documentation.profiles import write
from ecom_assets.serving.snapshot import open_snapshot


def profiles(home: Path) -> dict[str, Any]:
    """Returns the seconds that profiles of all tables take, how large these are, and the KB of the largest page."""
    known = settings.load()
    with spending() as spent, open_snapshot(known.snapshot) as con:
        made = [shown.now for shown in write(con, list(catalog.tables()), known.profiles, known.currency)]
    return {
        "wall": spent.wall,
        "cpu": spent.cpu,
        "tables": len(made),
        "rows": sum(table.rows for table in made),
        "columns": sum(len(table.columns) for table in made),
        "largest_kb": max(page.stat().st_size for page in known.profiles.glob("*.html")) / 1_000,
    }
