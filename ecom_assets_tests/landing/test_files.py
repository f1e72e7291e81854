"""Files are replaced in one step."""

import datetime as dt
import tomllib
from pathlib import Path

import pytest

from ecom_assets import settings
from ecom_assets.landing.files import replace_file, replace_toml


def test_a_file_and_its_folder_are_made(tmp_path: Path):
    path = replace_file(tmp_path / "folder" / "file", b"new")

    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("fails", ["write", "move"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, monkeypatch, fails):
    def refuse(*_: object) -> None:
        raise OSError("the disk is full")

    def half(part: Path) -> None:
        part.write_bytes(b"ne")
        refuse()

    path = replace_file(tmp_path / "file", b"old")
    if fails == "move":
        monkeypatch.setattr("os.replace", refuse)

    with pytest.raises(OSError, match="the disk is full"):
        replace_file(path, half if fails == "write" else b"new")

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_toml_is_read_as_it_was_written(tmp_path: Path):
    values = {"day": dt.date(2024, 1, 1), "name": 'a "ß"', "table": {"share": 0.5, "days": ["mon"]}}

    replace_toml(tmp_path / "file.toml", {**values, "end": None})

    assert tomllib.loads((tmp_path / "file.toml").read_text("utf-8")) == values


def test_settings_are_replaced_in_one_step(tmp_path: Path, monkeypatch):
    known = settings.load(tmp_path)
    settings.save(known)
    before = (tmp_path / settings.FILE).read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: None)

    settings.save(settings.Settings(tmp_path, start=dt.date(2025, 1, 1)))

    assert (tmp_path / settings.FILE).read_bytes() == before
