"""How sensors and schedules are declared: they are on by default, and the UI shows their docstrings."""

import inspect
from collections.abc import Callable
from typing import Any

import dagster as dg


def sensor(**options: Any) -> Callable[[Callable[..., Any]], dg.SensorDefinition]:
    """Returns a decorator like `dagster.sensor`, for a function with a docstring."""
    on = dg.DefaultSensorStatus.RUNNING
    return lambda tick: dg.sensor(description=inspect.getdoc(tick), default_status=on, **options)(tick)


def schedule(**options: Any) -> Callable[[Callable[..., Any]], dg.ScheduleDefinition]:
    """Returns a decorator like `dagster.schedule`, for a function with a docstring."""
    given = {"default_status": dg.DefaultScheduleStatus.RUNNING, **options}
    return lambda tick: dg.schedule(description=inspect.getdoc(tick), **given)(tick)
