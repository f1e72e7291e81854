"""Landing texts by a feed map, and what has landed."""

from pathlib import Path
from typing import Any

import duckdb

from ecom_assets.landing.reading import read
from ecom_assets.landing.zone import Zone
from ecom_assets.sources.feed_map import LandReport, land, load_map


def rows(zone: Zone, feed: str, *columns: str) -> list[tuple[Any, ...]]:
    """The feed as bronze would read it: the columns, and the problem if there is one."""
    with duckdb.connect() as con:
        days = zone.days(feed)
        files = [file for day in zone.arrivals(feed, days[0], days[-1]).values() for file in day]
        relation = read(con, files, columns).order("arrived_on, source_file, record")
        return [row[: len(columns)] + row[-2:-1] * (row[-2] is not None) for row in relation.fetchall()]


def land_text(tmp_path: Path, zone: Zone, text: str, *, replacing: bool = False, **files: str) -> LandReport:
    """Land files, given by name with their lines, by a map."""
    (tmp_path / "map.toml").write_text(text)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    return land(load_map(tmp_path / "map.toml"), tmp_path, zone, replacing=replacing)
