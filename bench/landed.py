"""Landing zones with a shop's files, made once and kept."""

import dataclasses
import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench import child
from bench.sizes import Size
from ecom_assets.days import Window
from ecom_assets.landing.zone import Zone
from ecom_assets.shop.scale import Scale
from ecom_assets.shop.shop import Shop
from ecom_assets.sources.synthetic import land_shop


def land(home: Path, start: str, days: str, scale: dict[str, Any]) -> dict[str, Any]:
    """Lands the files of some arrival days of a shop below `home`."""
    first = Window.parse(start).first
    preset = Scale(**{**scale, "quiet_days": tuple(scale["quiet_days"])})
    land_shop(Zone(home), Shop(first, preset=preset), Window.parse(days))
    return {}


def landing_zone(cache: Path, size: Size, days: Window) -> Path:
    """Returns the folder with a shop's files of all days; if missing, two processes make it."""
    scale = dataclasses.asdict(size.shop)
    name = f"landing-{days}-{hashlib.sha256(repr(scale).encode()).hexdigest()[:12]}"
    finished = cache / name
    if not finished.exists():
        part = cache / f"{name}.part"
        shutil.rmtree(part, ignore_errors=True)
        chunks = _chunks(days, min(child.CORES, len(days)))
        with ThreadPoolExecutor(child.CORES) as pool:
            landing = [
                pool.submit(child.call, land, part, start=str(days.first), days=str(chunk), scale=scale)
                for chunk in chunks
            ]
            for done in landing:
                done.result()
        part.rename(finished)
    return finished


def share(zone: Path, home: Path) -> Path:
    """Links the files of a zone into the landing zone of a home, without an index."""
    target = home / "data" / "landing"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(zone, target, copy_function=os.link, ignore=shutil.ignore_patterns(".*"))
    return target


def _chunks(days: Window, number: int) -> list[Window]:
    all_days = list(days)
    cuts = [len(all_days) * n // number for n in range(number + 1)]
    return [Window(all_days[a], all_days[b - 1]) for a, b in pairwise(cuts)]
