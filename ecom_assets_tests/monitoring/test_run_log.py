"""The log of runs has a line per table and window, stays small, and ends no run."""

import json
from pathlib import Path

import pytest

from ecom_assets.days import State
from ecom_assets.monitoring import run_log
from ecom_assets.monitoring.run_log import Spent, note, spending
from ecom_assets.warehouse.ledger.records import DayResult
from ecom_assets_tests.tiny_shop import on

RAN = [DayResult(on(0), State.STORED, 10, 1), DayResult(on(1), State.FAILED, 0, 5), DayResult(on(3), State.STORED, 7)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "monitoring" / "runs.jsonl"


def lines(log: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_a_line_says_days_states_rows_seconds_and_bytes(log: Path) -> None:
    note(log, "4bb4db42", "silver.orders", RAN, Spent(1.23456, 2_000, 1_000))

    [line] = lines(log)
    assert line.pop("at")
    assert line == {
        "run": "4bb4db42",
        "table": "silver.orders",
        "days": ["2024-03-01..2024-03-02", "2024-03-04"],
        "states": {"stored": 2, "failed": 1},
        "rows": 17,
        "bad_rows": 6,
        "seconds": 1.235,
        "bytes_read": 2_000,
        "bytes_written": 1_000,
    }


def test_a_table_of_which_nothing_ran_has_no_line(log: Path) -> None:
    note(log, "4bb4db42", "silver.orders", [], Spent())

    assert not log.exists()


def test_the_log_is_bounded(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "MAX_BYTES", 2_000)

    for number in range(50):
        note(log, f"run-{number}", "silver.orders", RAN, Spent())

    files = sorted(log.parent.iterdir())
    assert [file.name for file in files] == ["runs.jsonl", "runs.jsonl.1"]
    assert max(file.stat().st_size for file in files) <= 2_000
    runs = [line["run"] for line in [*lines(files[1]), *lines(files[0])]]
    assert runs == [f"run-{number}" for number in range(50 - len(runs), 50)]


def test_half_a_line_of_a_killed_process_spoils_no_other(log: Path) -> None:
    log.parent.mkdir()
    log.write_text('{"at": "2024')

    note(log, "4bb4db42", "silver.orders", RAN, Spent())

    half, whole = log.read_text().splitlines()
    assert half == '{"at": "2024'
    assert json.loads(whole)["table"] == "silver.orders"


def test_a_log_that_cannot_be_written_is_a_warning(log: Path, caplog: pytest.LogCaptureFixture) -> None:
    log.parent.write_text("in the way")

    note(log, "4bb4db42", "silver.orders", RAN, Spent())

    assert "cannot be written" in caplog.text


def test_what_a_block_takes_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with spending() as spent:
        (tmp_path / "file").write_bytes(b"x" * 10_000)
    assert spent.seconds > 0
    assert spent.bytes_written is None or spent.bytes_written >= 10_000

    monkeypatch.setattr(run_log, "_COUNTS", tmp_path / "no such file")
    with spending() as spent:
        pass
    assert (spent.bytes_read, spent.bytes_written) == (None, None)
