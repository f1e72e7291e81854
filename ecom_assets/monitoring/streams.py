"""The part about streams: whether their consumer is alive and keeps up, and which records could not land."""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ecom_assets.monitoring.report import Figure, Level, Part, Reason, Value
from ecom_assets.settings import Settings

SILENT_AFTER = dt.timedelta(minutes=2)
"""A consumer that runs says so every five seconds."""
LATE_AFTER, MUCH_LATE_AFTER = dt.timedelta(minutes=5), dt.timedelta(hours=1)
"""How old the next record may be that has not been read yet."""
_PAGE = "docs/streaming.md says what to do."


def streams(known: Settings, now: dt.datetime) -> Part:
    """Returns how the consumer of streams is, from what it last wrote. Raises OSError, ValueError."""
    if not known.stream_status.exists():
        return Part("streams", "No stream is consumed.")
    status = json.loads(known.stream_status.read_text("utf-8"))
    partitions = status["partitions"]
    lag = sum(row["lag"] or 0 for row in partitions)
    letters = sum(path.read_bytes().count(b"\n") for path in known.dead_letters.glob("*.jsonl"))
    figures = [
        Figure("stream_seconds_since_report", _age(status, now).total_seconds()),
        Figure("stream_dead_letters", letters),
    ]
    figures += [
        Figure("stream_lag_records", row["lag"], {"topic": row["topic"], "partition": str(row["partition"])})
        for row in partitions
        if row["lag"] is not None
    ]
    details: list[Mapping[str, Value]] = [
        {name: row[name] for name in ("topic", "partition", "feed", "landed", "lag", "lost")} for row in partitions
    ]
    reasons = [*_of_process(status, now), *_of_partitions(partitions, now)]
    if letters:
        text = f"{letters:,} records could not land."
        reasons.append(
            Reason(Level.WARNING, text, f"ecom stream --replay lands those that can be read by now; {_PAGE}")
        )
    summary = f"{len(partitions)} partitions are read; {lag:,} records wait."
    return Part("streams", summary, reasons, figures, details)


def _of_process(status: Mapping[str, Any], now: dt.datetime) -> Iterator[Reason]:
    if status["state"] == "ended":
        yield Reason(Level.WARNING, "The consumer has ended.", "Start it again: ecom stream, with its topics.")
    elif _age(status, now) > SILENT_AFTER:
        text = f"The consumer has said nothing since {status['written_at']}: it was killed, or hangs."
        yield Reason(Level.CRITICAL, text, "Start it again: it goes on where the landing zone ends.")
    if status["problem"]:
        yield Reason(Level.CRITICAL, status["problem"], _PAGE)


def _of_partitions(partitions: list[Mapping[str, Any]], now: dt.datetime) -> Iterator[Reason]:
    for row in partitions:
        where = f"{row['topic']}, partition {row['partition']}"
        behind = now - dt.datetime.fromtimestamp(row["at"] / 1_000, dt.UTC)
        if row["lag"] and row["at"] and behind > LATE_AFTER:
            level = Level.CRITICAL if behind > MUCH_LATE_AFTER else Level.WARNING
            text = f"{where}: {row['lag']:,} records wait, the next since {now - behind:%Y-%m-%d %H:%M} UTC or later."
            yield Reason(
                level, text, "It catches up by itself if the disk is fast enough; see lag in the next minutes."
            )
        if row["lost"]:
            text = f"{where}: {row['lost']:,} records were deleted by the broker before they landed."
            yield Reason(Level.CRITICAL, text, "Keep records for longer, in the topic's retention.ms.")


def _age(status: Mapping[str, Any], now: dt.datetime) -> dt.timedelta:
    return now - dt.datetime.fromisoformat(status["written_at"])
