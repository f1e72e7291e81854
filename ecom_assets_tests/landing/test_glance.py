"""A glance tells whether any file has changed, come or gone since the last one."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ecom_assets.landing.glance import SETTLED_NS, Glances
from ecom_assets.landing.zone import Zone

FEEDS = ["orders", "payments"]
HOUR_NS = 3_600_000_000_000


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    zone = Zone(tmp_path)
    for feed in FEEDS:
        for day in ("2024-01-01", "2024-01-02"):
            (tmp_path / feed / day).mkdir(parents=True)
            (tmp_path / feed / day / "rows.csv").write_text("id\n1\n")
    settle(zone)
    return zone


def settle(zone: Zone, hours: int = 1) -> None:
    """Makes all files and folders some hours old."""
    at = time.time_ns() - hours * HOUR_NS
    for folder, _, names in os.walk(zone.root):
        for place in (folder, *(os.path.join(folder, name) for name in names)):
            os.utime(place, ns=(at, at))


def in_place(zone: Zone) -> None:
    (zone.root / "orders/2024-01-01/rows.csv").write_text("id\n2\n")


def appended(zone: Zone) -> None:
    with (zone.root / "orders/2024-01-01/rows.csv").open("a") as file:
        file.write("2\n")


def came(zone: Zone) -> None:
    (zone.root / "payments/2024-01-02/more.csv").write_text("id\n3\n")


def went(zone: Zone) -> None:
    (zone.root / "payments/2024-01-02/rows.csv").unlink()


def day_came(zone: Zone) -> None:
    (zone.root / "orders/2024-01-03").mkdir()


@pytest.mark.parametrize("change", [in_place, appended, came, went, day_came])
def test_any_change_is_another_glance(zone: Zone, change: Callable[[Zone], None]) -> None:
    glances = Glances()
    before = glances.at(zone, FEEDS)
    assert before is not None
    assert glances.at(zone, FEEDS) == before

    change(zone)

    assert glances.at(zone, FEEDS) is None
    settle(zone, hours=2)
    assert glances.at(zone, FEEDS) not in (None, before)


def test_files_that_may_change_unseen_are_no_glance(zone: Zone) -> None:
    young = time.time_ns() - SETTLED_NS // 2
    os.utime(zone.root / "orders/2024-01-01/rows.csv", ns=(young, young))

    assert Glances().at(zone, FEEDS) is None


def test_a_zone_without_files_is_a_glance(tmp_path: Path) -> None:
    assert Glances().at(Zone(tmp_path / "nowhere"), FEEDS) is not None
