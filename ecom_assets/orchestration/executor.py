"""The executor: everything in one process, and a run with a refused day ends as failed."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from ecom_assets.errors import UserError
from ecom_assets.orchestration._dagster import Executor, InProcessExecutor, RetryMode
from ecom_assets.orchestration.io_manager import take_publishing_error

MOST_NAMED = 10


class NotPublished(UserError):
    """The snapshot could not be brought up to date."""


def _let_be(plan_context: Any) -> None:
    """Keep Dagster from starting the run again: it takes what an executor raises for a lost run."""
    plan_context.instance.add_run_tags(plan_context.run_id, {"dagster/max_retries": "0"})


class VerdictExecutor(Executor):
    """Runs all steps in process; once all have run, fails the run if a blocking check failed.

    Dagster shows a planned partition without rows as failed only when its run failed. Steps are not
    stopped before that, so that the good days of the window go all the way.
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
        """Pass every event on. Raises at the end Failure where table-days were refused, NotPublished."""
        refused = []
        for event in self._inner.execute(plan_context, execution_plan):
            if event.event_type_value == "ASSET_CHECK_EVALUATION":
                verdict = event.asset_check_evaluation_data
                if verdict.blocking and not verdict.passed:
                    refused.append(f"{verdict.asset_key.to_user_string()} {verdict.partition}")
            yield event
        if error := take_publishing_error(plan_context.run_id):
            _let_be(plan_context)
            raise NotPublished(
                f"What the run made is stored, but readers do not see it yet: {error}. Then: ecom run --stale"
            )
        if refused:
            more = f" and {len(refused) - MOST_NAMED} more" if len(refused) > MOST_NAMED else ""
            _let_be(plan_context)
            raise dg.Failure(
                f"{len(refused)} table-days were refused: {', '.join(refused[:MOST_NAMED])}{more}. "
                "Their failed checks say why; the good days are published.",
                allow_retries=False,
            )


@dg.executor(name="in_process", config_schema={})
def verdict_executor(context: dg.InitExecutorContext) -> VerdictExecutor:
    """The platform's executor; takes no configuration."""
    return VerdictExecutor(InProcessExecutor(retries=RetryMode.ENABLED))
