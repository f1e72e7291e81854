"""The executor: all steps in one process; a run with failed or blocked days ends as failed."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from ecom_assets.errors import UserError
from ecom_assets.orchestration._dagster import Executor, InProcessExecutor, RetryMode
from ecom_assets.orchestration.io_manager import take_publishing_error

MAX_NAMED = 10


class NotPublished(UserError):
    """The snapshot could not be published."""


def _disable_retries(plan_context: Any) -> None:
    """Prevents Dagster from restarting the run: it takes an error of an executor for a lost run."""
    plan_context.instance.add_run_tags(plan_context.run_id, {"dagster/max_retries": "0"})


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
        """Yields every event. At the end, raises Failure if table-days failed or are blocked, and NotPublished."""
        bad = []
        for event in self._inner.execute(plan_context, execution_plan):
            if event.event_type_value == "ASSET_CHECK_EVALUATION":
                verdict = event.asset_check_evaluation_data
                if verdict.blocking and not verdict.passed:
                    bad.append(f"{verdict.asset_key.to_user_string()} {verdict.partition}")
            yield event
        if error := take_publishing_error(plan_context.run_id):
            _disable_retries(plan_context)
            raise NotPublished(
                f"The run's rows are stored but not published: {error}. Fix this, then: ecom run --stale"
            )
        if bad:
            more = f" and {len(bad) - MAX_NAMED} more" if len(bad) > MAX_NAMED else ""
            _disable_retries(plan_context)
            raise dg.Failure(
                f"{len(bad)} table-days failed or are blocked: {', '.join(bad[:MAX_NAMED])}{more}. "
                "Their failed checks have the reasons; the good days are published.",
                allow_retries=False,
            )


@dg.executor(name="in_process", config_schema={})
def verdict_executor(context: dg.InitExecutorContext) -> VerdictExecutor:
    """Returns the platform's executor; it has no configuration."""
    return VerdictExecutor(InProcessExecutor(retries=RetryMode.ENABLED))
