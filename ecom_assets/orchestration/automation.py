"""How sensors and schedules are declared: they are on, and their docstrings are what the UI says of them."""

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
    on = dg.DefaultScheduleStatus.RUNNING
    return lambda tick: dg.schedule(description=inspect.getdoc(tick), default_status=on, **options)(tick)
