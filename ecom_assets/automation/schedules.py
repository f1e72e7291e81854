"""Schedules: what runs by the clock."""

import dagster as dg

from ecom_assets import settings
from ecom_assets.automation.jobs import pipeline
from ecom_assets.days import ONE_DAY


@dg.schedule(
    job=pipeline,
    cron_schedule="0 2 * * *",
    execution_timezone=settings.load().time_zone,
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def yesterday_every_night(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Run yesterday from landing to kpi, at two o'clock in the shop's time zone."""
    yesterday = context.scheduled_execution_time.date() - ONE_DAY
    if yesterday not in settings.load().calendar:
        return dg.SkipReason(f"{yesterday} is not in the calendar.")
    return dg.RunRequest(run_key=str(yesterday), partition_key=str(yesterday))


SCHEDULES = [yesterday_every_night]
