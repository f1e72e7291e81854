"""The speed of the synthetic shop, before any file is written."""

import datetime as dt
from pathlib import Path
from typing import Any

from bench.child import spending
from ecom_assets.days import ONE_DAY
from ecom_assets.shop.scale import Scale
from ecom_assets.shop.shop import LONGEST_WAIT, Shop

START = dt.date(2024, 1, 1)


def arrivals(home: Path, scale: dict[str, Any], days: int) -> dict[str, Any]:
    """Makes the arrivals of some consecutive days, all feeds together, after the shop's opening."""
    shop = Shop(START, preset=Scale(**scale))
    first = START + (LONGEST_WAIT + 1) * ONE_DAY
    shop.arrivals(first)
    rows: dict[str, int] = {}
    with spending() as spent:
        for n in range(1, days + 1):
            for feed, frame in shop.arrivals(first + n * ONE_DAY).items():
                rows[feed] = rows.get(feed, 0) + len(frame)
    return {"wall": spent.wall, "cpu": spent.cpu, "rows": rows}
