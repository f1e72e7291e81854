"""Folding small files of a day that is over changes no row, whenever it ends."""

import os
import shutil
from pathlib import Path

import pytest

from ecom_assets.landing.streamed import FOLDED
from ecom_assets.landing.zone import Zone
from ecom_assets.streaming import folding
from ecom_assets.streaming.folding import fold
from ecom_assets.streaming.landing import places
from ecom_assets_tests.landing.test_streamed import STREAM, fingerprint, land, rows
from ecom_assets_tests.tiny_shop import START, on

NEVER, LATER = 0.0, 2e10


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    return Zone(tmp_path)


def names(zone: Zone) -> list[str]:
    return sorted(path.name for path in (zone.root / "orders" / str(START)).iterdir())


def land_some(zone: Zone) -> None:
    land(zone, 0, 1, 2)
    land(zone, 3, 7)
    land(zone, 8)


def test_files_of_a_day_that_is_over_become_one(zone):
    land_some(zone)
    before = rows(zone), fingerprint(zone), places(zone, "orders")[STREAM].last

    assert fold(zone, "orders", START, LATER) == 0
    assert fold(zone, "orders", on(1), NEVER) == 3
    assert fold(zone, "orders", on(1), NEVER) == 0
    assert len(names(zone)) == 4
    assert (rows(zone), fingerprint(zone), places(zone, "orders")[STREAM].last) == before

    assert fold(zone, "orders", on(1), LATER) == 0
    assert names(zone) == [STREAM.file_name(0, 8, FOLDED)]
    assert (rows(zone), fingerprint(zone), places(zone, "orders")[STREAM].last) == before


def test_what_lands_later_is_folded_too_and_overlaps_are_read_once(zone):
    land_some(zone)
    fold(zone, "orders", on(1), NEVER)
    land(zone, 7, 8, 9)
    before = rows(zone)
    fold(zone, "orders", on(1), NEVER)
    fold(zone, "orders", on(1), LATER)

    assert rows(zone) == before
    assert names(zone) == [STREAM.file_name(0, 9, FOLDED)]


def test_what_was_replayed_stays_beside(zone):
    land_some(zone)
    land(zone, 5, kind="replayed")
    before = rows(zone), fingerprint(zone)
    fold(zone, "orders", on(1), NEVER)
    fold(zone, "orders", on(1), LATER)

    assert (rows(zone), fingerprint(zone)) == before
    assert len(names(zone)) == 2


def test_a_damaged_line_is_kept(zone):
    land_some(zone)
    damaged = land(zone, 2, 3)
    damaged.write_bytes(damaged.read_bytes() + b'{"_offs')
    before = rows(zone)
    fold(zone, "orders", on(1), NEVER)
    fold(zone, "orders", on(1), LATER)

    assert rows(zone)[1:] == before[1:]
    assert len(rows(zone)) == len(before) == 7


@pytest.mark.parametrize("call", ["move_durably", "unlink"])
def test_it_may_be_interrupted_anywhere(zone, monkeypatch, call):
    land_some(zone)
    before = rows(zone), fingerprint(zone)
    with monkeypatch.context() as patch:
        if call == "unlink":
            fold(zone, "orders", on(1), NEVER)
            patch.setattr(Path, "unlink", interrupted)
        else:
            patch.setattr(folding, call, interrupted)
        with pytest.raises((KeyboardInterrupt, OSError)):
            fold(zone, "orders", on(1), LATER)
    assert (rows(zone), fingerprint(zone)) == before
    fold(zone, "orders", on(1), NEVER)
    fold(zone, "orders", on(1), LATER)
    assert (rows(zone), fingerprint(zone)) == before
    assert len(names(zone)) == 1


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_tick_over_many_small_files_opens_none(zone, monkeypatch):
    land_some(zone)
    for path in (zone.root / "orders" / str(START)).iterdir():
        shutil.copy(path, path.with_name(path.name.replace("shop.orders", "other")))
    monkeypatch.setattr("ecom_assets.landing.zone._digest", lambda path: pytest.fail(f"{path} was opened"))
    looked_at = []
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda path, *more, **how: looked_at.append(path) or stat(path, *more, **how))

    fingerprint(zone)

    assert not [path for path in looked_at if str(path).endswith(".jsonl")]
