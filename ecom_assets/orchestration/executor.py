"""The executor: all steps in one process; a run with failed or blocked days ends as failed."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
import duckdb

from ecom_assets.days import State, contiguous
from ecom_assets.errors import UserError
from ecom_assets.orchestration._dagster import Executor, InProcessExecutor, RetryMode
from ecom_assets.orchestration.about_runs import CancelRequest, introduce
from ecom_assets.orchestration.alerts import BAD_DAYS_TAG, mistakes, offending
from ecom_assets.orchestration.assets import MISTAKE, STATE
from ecom_assets.orchestration.following import RunEnded, Steps, steps
from ecom_assets.orchestration.io_manager import take_publishing_error

_ENDS = (dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.STEP_SKIPPED)
"""Events with which a step ends."""


class NotPublished(UserError):
    """The snapshot could not be published."""


def _disable_retries(plan_context: Any, **more_tags: str) -> None:
    """Prevents Dagster from restarting the run: it takes an error of an executor for a lost run."""
    plan_context.instance.add_run_tags(plan_context.run_id, {"dagster/max_retries": "0", **more_tags})


class VerdictExecutor(Executor):
    """Runs all steps in process; once all have run, fails the run if a blocking check failed.

    Dagster shows a planned partition without rows as failed only if its run failed. Steps are not
    stopped before that, so that the good days of the window reach all tables.
    """

    def __init__(self, inner: InProcessExecutor) -> None:
        self._inner = inner

    @property
    def retries(self) -> Any:
        return self._inner.retries

    @property
    def step_dependency_config(self) -> Any:
        return self._inner.step_dependency_config

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[dg.DagsterEvent]:
        """Yields every event. At the end, raises Failure if table-days are not good, and NotPublished.

        Raises RunEnded if a follower or a user of the UI has ended the run, DagsterExecutionInterruptedError if a
        signal has.
        """
        bad, ended = [], None
        introduce(plan_context.instance, plan_context.dagster_run, execution_plan.step_keys_to_execute)
        request = CancelRequest(plan_context.instance, plan_context.dagster_run)
        with steps(execution_plan.step_keys_to_execute) as following:
            try:
                for event in self._inner.execute(plan_context, execution_plan):
                    if event.event_type_value == "ASSET_CHECK_EVALUATION":
                        verdict = event.asset_check_evaluation_data
                        if verdict.blocking and not verdict.passed:
                            bad.append(verdict)
                    yield event
                    _follow(following, event)
                    if event.is_step_start and request.is_made():
                        following.end()
                    if event.is_step_failure and _is_interrupted(event.step_failure_data.error):
                        raise dg.DagsterExecutionInterruptedError("The run was interrupted within a table.")
            except RunEnded as by_follower:
                ended = by_follower
        if error := take_publishing_error(plan_context.run_id):
            _disable_retries(plan_context)
            raise NotPublished(
                f"The run's rows are stored but not published: {error}. Fix this, then: ecom run --stale"
            )
        if ended:
            plan_context.instance.report_run_canceling(plan_context.dagster_run)
            raise ended
        if bad:
            _disable_retries(plan_context, **{BAD_DAYS_TAG: str(len(bad))})
            published = "All else is published." if mistakes(bad) else "The good days are published."
            raise dg.Failure(f"{first_cause(bad)} {published}", allow_retries=False)


def _is_interrupted(error: Any) -> bool:
    """Returns whether a signal made a step fail. DuckDB raises errors of its own for it, so Dagster would go on."""
    if error is None:
        return False
    if error.cls_name == duckdb.InterruptException.__name__ or "Query interrupted" in error.message:
        return True
    return _is_interrupted(error.cause) or _is_interrupted(error.context)


def _follow(following: Steps, event: dg.DagsterEvent) -> None:
    """Tells which step begins, and how much is done once one has ended."""
    if event.event_type is dg.DagsterEventType.STEP_START:
        following.tell(str(event.step_key).replace("__", "."))
    elif event.event_type in _ENDS:
        following.left.discard(str(event.step_key))
        following.tell("the next table" if following.left else "publishing")


def first_cause(failed: Sequence[dg.AssetCheckEvaluation]) -> str:
    """Returns the cause of the first table-days that failed in a run in full, and how many others there are.

    Args:
        failed: Evaluations that did not pass, in the order of the run.
    """
    if broken := mistakes(failed):
        of_rows = [verdict for verdict in failed if MISTAKE not in verdict.metadata]
        return " ".join([*broken.values(), *([first_cause(of_rows)] if of_rows else [])])
    by_table: dict[tuple[bool, str], list[dg.AssetCheckEvaluation]] = {}
    for verdict in failed:
        is_blocked = STATE in verdict.metadata and verdict.metadata[STATE].value == State.BLOCKED
        by_table.setdefault((is_blocked, verdict.asset_key.to_user_string()), []).append(verdict)
    (is_blocked, table), *others = sorted(by_table, key=lambda found: found[0])
    first = by_table[is_blocked, table]
    what = "is blocked" if is_blocked else "failed"
    said = [f"{table} {what} on {_days(first)}: {_reason(first)}."]
    for state, text in ((False, "failed"), (True, "are blocked")):
        rest = [found for found in others if found[0] is state]
        if rest:
            days = _days([verdict for found in rest for verdict in by_table[found]])
            which = "table" if len(rest) == 1 else "tables"
            said.append(f"{len(rest)} {which} more {'is blocked' if state and len(rest) == 1 else text} on {days}.")
    return f"{' '.join(said)} The failed checks and ecom bad have the reasons."


def _days(verdicts: Sequence[dg.AssetCheckEvaluation]) -> str:
    days = {dt.date.fromisoformat(verdict.partition) for verdict in verdicts if verdict.partition}
    return ", ".join(map(str, contiguous(days)))


def _reason(verdicts: Sequence[dg.AssetCheckEvaluation]) -> str:
    """Returns why table-days failed; of quarantined rows the most frequent reason, and where a first row is."""
    samples = next((found.metadata["sample_rows"] for found in verdicts if "sample_rows" in found.metadata), None)
    [row, *_] = samples.records if isinstance(samples, dg.TableMetadataValue) else [None]
    if row is None or "source_file" not in row.data:
        return str(verdicts[0].description).partition("\n")[0].partition(": ")[2].rstrip(".")
    rows = sum((Counter(offending(found)) for found in verdicts), Counter[str]())
    [(reason, count)] = rows.most_common(1)
    place = f"record {row.data['record']} of {row.data['arrived_on']}/{row.data['source_file']}"
    return f"{count:,} rows are quarantined: {reason.rstrip('.')}; a first one is {place}"


@dg.executor(name="in_process", config_schema={})
def verdict_executor(context: dg.InitExecutorContext) -> VerdictExecutor:
    """Returns the platform's executor; it has no configuration."""
    return VerdictExecutor(InProcessExecutor(retries=RetryMode.ENABLED))
