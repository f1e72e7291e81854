"""The report as metrics in Prometheus' text format, for a textfile collector or any scraper of files."""

from collections.abc import Iterator

from ecom_assets.monitoring.report import Report

PREFIX = "ecom_"
HELP = {
    "report_timestamp_seconds": "When the report was written, seconds since 1970",
    "level": "How a part is: 0 ok, 1 warning, 2 critical",
    "table_days": "Table-days by state",
    "stale_table_days": "Table-days that have to run again, as last published",
    "published_age_seconds": "Seconds since the last publish",
    "runs_last_day": "Runs that were made in the last 24 hours, by status",
    "feed_due_days_missing": "Days on which files of the feed were due since its newest good day, of the last 60",
    "feed_newest_day_timestamp_seconds": "End of the newest good day of the feed, seconds since 1970",
    "table_newest_day_timestamp_seconds": "End of the newest good day of the table, seconds since 1970",
    "feed_rows": "Records of the feed on its newest day",
    "feed_usual_rows": "Median of the records on the eight same weekdays before",
    "quality_score": "Rows that passed per row checked, 0 to 1",
    "reachable": "Whether a place can be read and written",
    "disk_free_bytes": "Bytes free on the disk of the data folder",
    "file_bytes": "Bytes of a file",
    "runs_waiting": "Runs that wait to start",
    "runs_running": "Runs that are running",
    "longest_wait_seconds": "Seconds for which the oldest waiting run has waited",
    "alerting_tick_age_seconds": "Seconds since alerting last ran",
    "channels_late": "Channels that have failed to take a message",
    "open_incidents": "Open incidents by severity",
    "alert_lag_seconds": "Seconds from a message to its receiver's answer, 95th percentile of the last day",
    "sensor_tick_age_seconds": "Seconds since the sensor last ticked",
    "sensor_lag_seconds": "Seconds by which the sensor's next tick is late",
}
"""What each figure means. All are gauges."""


def text_of(report: Report) -> str:
    """Returns the metrics of a report, one family after the other. Raises KeyError for a figure without a meaning."""
    families: dict[str, list[str]] = {name: [] for name in HELP}
    families["report_timestamp_seconds"].append(_line("report_timestamp_seconds", {}, report.written_at.timestamp()))
    for part in report.parts:
        families["level"].append(_line("level", {"part": part.name}, part.level.rank))
        for figure in part.figures:
            families[figure.name].append(_line(figure.name, dict(figure.labels), figure.value))
    return "".join(f"{line}\n" for name, lines in families.items() if lines for line in [*_head(name), *lines])


def _head(name: str) -> Iterator[str]:
    yield f"# HELP {PREFIX}{name} {HELP[name]}"
    yield f"# TYPE {PREFIX}{name} gauge"


def _line(name: str, labels: dict[str, str], value: float) -> str:
    listed = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"{PREFIX}{name}{f'{{{listed}}}' if listed else ''} {float(value):.15g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
