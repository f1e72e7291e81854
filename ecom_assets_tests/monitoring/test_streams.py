"""The part about streams says whether their consumer lives, writes and keeps up."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from ecom_assets.monitoring.report import Level, Part
from ecom_assets.monitoring.streams import streams
from ecom_assets.settings import Settings

NOW = dt.datetime(2024, 4, 1, 12, tzinfo=dt.UTC)


def judged(folder: Path, state: str = "running", problem: str = "", seconds: int = 5, **partition: Any) -> Part:
    row = {"topic": "shop.events", "partition": 0, "feed": "events", "next": 9, "landed": 7, "end": 9, "lag": 0}
    row |= {"age": 1.0, "at": int(NOW.timestamp() * 1_000), "event_at": "", "lost": 0, **partition}
    at = (NOW - dt.timedelta(seconds=seconds)).isoformat()
    known = Settings(folder)
    known.stream_status.parent.mkdir(exist_ok=True)
    known.stream_status.write_text(
        json.dumps({"written_at": at, "state": state, "problem": problem, "partitions": [row]})
    )
    return streams(known, NOW)


def hours_ago(hours: float) -> int:
    return int((NOW - dt.timedelta(hours=hours)).timestamp() * 1_000)


@pytest.mark.parametrize(
    ("found", "level", "text"),
    [
        ({}, Level.OK, None),
        ({"lag": 10}, Level.OK, None),
        ({"lag": 10, "at": hours_ago(0.5)}, Level.WARNING, "10 records wait, the next since 2024-04-01 11:30"),
        ({"lag": 10, "at": hours_ago(2)}, Level.CRITICAL, "shop.events, partition 0"),
        ({"lag": 0, "at": hours_ago(2)}, Level.OK, None),
        ({"lost": 3}, Level.CRITICAL, "3 records were deleted"),
        ({"state": "ended"}, Level.WARNING, "has ended"),
        ({"seconds": 200}, Level.CRITICAL, "has said nothing since"),
        ({"state": "paused", "problem": "Nothing can land: no space."}, Level.CRITICAL, "Nothing can land"),
    ],
)
def test_a_consumer_is_judged_by_what_it_last_said(tmp_path, found, level, text):
    part = judged(tmp_path, **found)

    assert part.level is level
    assert text is None or text in part.reasons[0].text


def test_records_that_could_not_land_are_told(tmp_path):
    (tmp_path / "dead_letters").mkdir()
    (tmp_path / "dead_letters" / "kafka-a.jsonl").write_text("{}\n{}\n")

    part = judged(tmp_path, lag=None)

    assert (part.level, part.reasons[0].text) == (Level.WARNING, "2 records could not land.")
    assert {figure.name: figure.value for figure in part.figures}["stream_dead_letters"] == 2


def test_without_a_stream_all_is_well(tmp_path):
    assert streams(Settings(tmp_path), NOW).level is Level.OK
