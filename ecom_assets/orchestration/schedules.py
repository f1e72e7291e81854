"""Schedules: runs at fixed times."""

import dagster as dg

from ecom_assets import settings
from ecom_assets.days import ONE_DAY
from ecom_assets.orchestration.automation import schedule
from ecom_assets.orchestration.jobs import (
    data_quality,
    export,
    extract,
    ml_scoring,
    ml_training,
    pipeline,
    publish_to_postgres,
)


def schedules(time_zone: str) -> list[dg.ScheduleDefinition]:
    """Returns all schedules, in the shop's time zone."""

    @schedule(
        job=pipeline,
        cron_schedule="0 2 * * *",
        execution_timezone=time_zone,
    )
    def yesterday_every_night(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Runs yesterday from landing to kpi, at two o'clock in the shop's time zone."""
        return _of_yesterday(context)

    @schedule(
        job=data_quality,
        cron_schedule="0 6 * * *",
        execution_timezone=time_zone,
    )
    def quality_every_morning(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Compares the published tables with the quality target, at six o'clock in the shop's time zone."""
        return _of_published(context)

    @schedule(
        job=export,
        cron_schedule="0 5 * * *",
        execution_timezone=time_zone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
    )
    def export_every_morning(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Writes the export to data/exports, at five o'clock in the shop's time zone. Off until you switch it on."""
        return _of_published(context)

    @schedule(
        job=publish_to_postgres,
        cron_schedule="15 * * * *",
        execution_timezone=time_zone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
    )
    def publish_to_postgres_every_hour(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Brings the PostgreSQL database of the settings up to date, each hour. Off until you switch it on."""
        known = settings.load()
        if known.postgres is None or not known.snapshot.exists():
            return dg.SkipReason("No database is set, or nothing is published yet.")
        return dg.RunRequest(run_key=f"{context.scheduled_execution_time:%Y-%m-%dT%H}")

    @schedule(
        job=extract,
        cron_schedule="*/15 * * * *",
        execution_timezone=time_zone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
    )
    def extract_every_quarter_of_an_hour(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Lands what is new in the database that the map of the settings reads. Off until you switch it on."""
        if settings.load().extract is None:
            return dg.SkipReason("No map is set.")
        return dg.RunRequest(run_key=f"{context.scheduled_execution_time:%Y-%m-%dT%H:%M}")

    @schedule(
        job=ml_training,
        cron_schedule="0 4 * * 1",
        execution_timezone=time_zone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
    )
    def train_every_week(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Fits models whose four weeks have ended, at four o'clock on Mondays. Off, since the nightly run does it."""
        return _of_yesterday(context)

    @schedule(
        job=ml_scoring,
        cron_schedule="30 4 * * 1",
        execution_timezone=time_zone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
    )
    def predict_every_week(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Predicts at the end of the week, at half past four on Mondays. Off, since the nightly run does it."""
        return _of_yesterday(context)

    return [
        yesterday_every_night,
        quality_every_morning,
        export_every_morning,
        publish_to_postgres_every_hour,
        extract_every_quarter_of_an_hour,
        train_every_week,
        predict_every_week,
    ]


def _of_published(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Returns a request for the day's run, once there is a snapshot."""
    if not settings.load().snapshot.exists():
        return dg.SkipReason("Nothing is published yet.")
    return dg.RunRequest(run_key=str(context.scheduled_execution_time.date()))


def _of_yesterday(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Returns the request for a run of the day before, or why there is none."""
    yesterday = context.scheduled_execution_time.date() - ONE_DAY
    if yesterday not in settings.load().calendar:
        return dg.SkipReason(f"{yesterday} is outside the calendar.")
    return dg.RunRequest(run_key=str(yesterday), partition_key=str(yesterday))
