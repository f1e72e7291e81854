"""The quality assets: quality of the published tables, and detection rate of the checks."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

import dagster as dg

from ecom_assets import settings
from ecom_assets.declaration import Catalog
from ecom_assets.documentation.profiles import write as write_profiles
from ecom_assets.orchestration.assets import OWNERS, asset_key
from ecom_assets.orchestration.monitoring import monitoring_report
from ecom_assets.quality import anomalies
from ecom_assets.quality.data_quality import DAYS, TARGET, WORST_DAYS, quality, table_of
from ecom_assets.quality.detection import (
    NO_TRUTH,
    PRECISION_TARGET,
    alarms_table,
    feed_days_table,
    kinds_table,
    measured,
)
from ecom_assets.quality.truth_scores import NO_TRUTH as NOTHING_LIKELY
from ecom_assets.quality.truth_scores import scored, scores_table
from ecom_assets.serving.snapshot import open_snapshot

QUALITY = dg.AssetKey(["quality", "data_quality"])
DETECTION = dg.AssetKey(["quality", "detection"])
PROFILES = dg.AssetKey(["quality", "profiles"])
TRUTH_SCORES = dg.AssetKey(["quality", "truth_scores"])
EACH_MORNING = dg.FreshnessPolicy.time_window(fail_window=dt.timedelta(hours=26))
"""The quality schedule runs once a day. Tables have no such policy: Dagster takes a backfill for fresh rows."""
_SERVERS = (
    ("dashboard", "dashboard", dg.MetadataValue.url(f"{settings.DASHBOARD}/?page=operations")),
    ("API", "api", dg.MetadataValue.url(f"{settings.API}/tables/kpi.daily_quality")),
)
"""What shows more of the quality, by default on these addresses."""
MEETS_TARGET = "meets_target"
FINDS_DEFECTS = "finds_defects"


def quality_assets(tables: Catalog) -> list[dg.AssetsDefinition]:
    """Returns the quality assets of these tables."""
    return [data_quality, detection_asset(tables), truth_scores, profiles_asset(tables), monitoring_report]


@dg.asset(
    key=QUALITY,
    group_name="quality",
    deps=[asset_key("kpi.daily_reconciliation")],
    owners=OWNERS,
    kinds={"duckdb", "quality"},
    tags={"domain": "quality"},
    freshness_policy=EACH_MORNING,
    check_specs=[
        dg.AssetCheckSpec(
            MEETS_TARGET,
            asset=QUALITY,
            description=f"Of all rows checked in the last {DAYS} days, {TARGET:.1%} passed, and no day lacks rows.",
        )
    ],
)
def data_quality() -> dg.MaterializeResult:
    """Share of the rows checked in the last 30 days that passed, and by how much totals were restated.

    Reads only the snapshot.

    The score of each table and day is in `kpi.daily_quality`.
    """
    with open_snapshot(settings.load().snapshot) as con:
        tables, table_days = quality(con), quality(con, by_day=True)
    checked, passed = sum(q.rows_checked for q in tables), sum(q.rows_passed for q in tables)
    score = passed / checked if checked else 1.0
    worst = [q for q in table_days if q.score < TARGET][:WORST_DAYS]
    lost = [q for q in table_days if q.score == 0]
    return dg.MaterializeResult(
        metadata={
            "score": score,
            "target": TARGET,
            "rows_checked": checked,
            "rows_passed": passed,
            "tables": dg.MetadataValue.md(table_of(tables)),
            **{f"{name}, while ecom {command} runs": url for name, command, url in _SERVERS},
            "dictionary": dg.MetadataValue.path(settings.PROJECT / "data" / "README.md"),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=MEETS_TARGET,
                passed=score >= TARGET and not lost,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "score": score,
                    "worst_days": dg.MetadataValue.md(table_of(worst)),
                    "missed": {f"quarantined row of {q.name}": q.rows_checked - q.rows_passed for q in worst},
                },
            )
        ],
    )


def detection_asset(tables: Catalog) -> dg.AssetsDefinition:
    """Returns the asset that compares quarantined rows with the synthetic shop's planted defects."""

    @dg.asset(
        key=DETECTION,
        group_name="quality",
        deps=[asset_key(declaration.quarantine) for declaration in tables if declaration.from_feed],
        owners=OWNERS,
        kinds={"duckdb", "quality"},
        tags={"domain": "quality"},
        freshness_policy=EACH_MORNING,
        check_specs=[
            dg.AssetCheckSpec(
                FINDS_DEFECTS,
                asset=DETECTION,
                description="Every detectable planted defect is caught, and at least "
                f"{PRECISION_TARGET:.0%} of the quarantined records have one.",
            )
        ],
    )
    def detection() -> dg.MaterializeResult:
        """Detection rate of the synthetic shop's planted defects, by kind, feed and arrival day.

        Reads the snapshot and the shop's truth, which no table reads. Without a synthetic shop there are no known
        defects, and the check passes. Kinds of anomalies of whole files and days are shown as they were measured for
        this release.
        """
        known = settings.load()
        with open_snapshot(known.snapshot) as con:
            found = measured(con, known.truth, tables)
            unusual = anomalies.unusual_days(con)
        of_anomalies = _of_anomalies(unusual, is_known=found is not None)
        if found is None:
            return _judged({"truth": NO_TRUTH, **of_anomalies}, {"truth": NO_TRUTH}, passed=True)
        figures = {
            "precision": found.precision,
            "precision_target": PRECISION_TARGET,
            "false_alarms_per_thousand": found.false_alarms_per_thousand,
        }
        about = {
            **figures,
            "kinds": dg.MetadataValue.md(kinds_table(found)),
            "newest_days": dg.MetadataValue.md(feed_days_table(found)),
            "false_alarms": dg.MetadataValue.md(alarms_table(found)),
            "consequences": found.consequences,
            "waiting": found.waiting,
            **of_anomalies,
        }
        missed = {f"{kind.name} not caught": kind.planted - kind.caught for kind in found.missed}
        return _judged(about, {**figures, "missed": {**missed, **found.false_alarms}}, passed=found.meets_target)

    return detection


@dg.asset(
    key=TRUTH_SCORES,
    group_name="quality",
    deps=[asset_key(f"predictions.{table}") for table in ("customer_value", "demand_forecasts", "order_risks")],
    owners=OWNERS,
    kinds={"duckdb", "quality"},
    tags={"domain": "quality"},
    freshness_policy=EACH_MORNING,
)
def truth_scores() -> dg.MaterializeResult:
    """How far predictions are right by the synthetic shop's truth, which no table reads, beside naive ones.

    Reads the snapshot. Without a synthetic shop nobody knows what was likely. `ecom predict truth` shows the same.
    """
    known = settings.load()
    with open_snapshot(known.snapshot) as con:
        found = scored(con, known.truth)
    if found is None:
        return dg.MaterializeResult(metadata={"truth": NOTHING_LIKELY})
    return dg.MaterializeResult(metadata={"scores": dg.MetadataValue.md(scores_table(found))})


def profiles_asset(tables: Catalog) -> dg.AssetsDefinition:
    """Returns the asset that writes the profiles of what was last published."""

    @dg.asset(
        key=PROFILES,
        group_name="quality",
        deps=[asset_key("kpi.daily_reconciliation")],
        owners=OWNERS,
        kinds={"duckdb", "quality"},
        tags={"domain": "quality"},
        freshness_policy=EACH_MORNING,
    )
    def profiles(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        """Profiles of the published tables, in the folder data/profiles, and what has changed since those before.

        Reads only the snapshot. The command `ecom profile` writes the same.
        """
        known = settings.load()
        try:
            with open_snapshot(known.snapshot) as con:
                made = write_profiles(con, list(tables), known.profiles, known.currency)
        except Exception as error:  # what only describes ends no run
            context.log.warning("The profiles cannot be written: %s", error)
            return dg.MaterializeResult(metadata={"problem": str(error)})
        lines = [f"- {shown.now.table}: {_escaped(line)}" for shown in made for line in shown.changed]
        return dg.MaterializeResult(
            metadata={
                "index": dg.MetadataValue.path(known.profiles / "index.html"),
                "tables": len(made),
                "rows": sum(shown.now.rows for shown in made),
                "changes": dg.MetadataValue.md("\n".join(lines) or "Nothing remarkable."),
            }
        )

    return profiles


def _escaped(text: str) -> str:
    """Returns text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>()#!|])", r"\\\1", text)


def _of_anomalies(unusual: anomalies.Share, *, is_known: bool) -> dict[str, Any]:
    """Returns the metadata about anomalies of whole files and days."""
    shown = anomalies.Measured.load()
    missed = "\n".join(anomalies.missed_lines(shown))
    clean = "\n\n".join("\n- ".join(anomalies.clean_lines(year)) for year in shown.clean)
    return {
        "anomalies": dg.MetadataValue.md(f"{anomalies.sources_line(shown)}\n\n{anomalies.kinds_table(shown.kinds)}"),
        "anomalies_missed": dg.MetadataValue.md(missed),
        "clean_years": dg.MetadataValue.md(clean),
        "anomalies_here": anomalies.here_line(unusual, is_known),
    }


def _judged(about: Mapping[str, Any], of_check: Mapping[str, Any], *, passed: bool) -> dg.MaterializeResult:
    check = dg.AssetCheckResult(
        check_name=FINDS_DEFECTS, passed=passed, severity=dg.AssetCheckSeverity.WARN, metadata=of_check
    )
    return dg.MaterializeResult(metadata=about, check_results=[check])
