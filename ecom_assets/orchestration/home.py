"""Dagster's home: the folder of dagster.yaml, and the instance that it describes."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

import dagster as dg
from filelock import FileLock

from ecom_assets import settings
from ecom_assets.orchestration._dagster import follow_runs_from_now
from ecom_assets.orchestration.assets import IO_MANAGER

_OF_STORAGES = ("sqlalchemy", "dagster_postgres")
"""Packages whose errors come from Dagster's storage."""


@contextmanager
def in_dagster_home() -> Iterator[dg.DagsterInstance]:
    """Opens the project's Dagster instance in Dagster's home, since paths in dagster.yaml are relative to it.

    Processes that a run starts find both by the environment, which is as before at the end. Raises SettingsError.
    """
    data, home = settings.data_folder(), settings.dagster_home()
    if not home.is_dir():
        raise settings.SettingsError(
            f"DAGSTER_HOME is {home}, which is not a folder: create it, or unset the variable."
        )
    data.mkdir(parents=True, exist_ok=True)
    folders = {"DAGSTER_HOME": str(home)} | ({"ECOM_DATA": str(data)} if "ECOM_DATA" in os.environ else {})
    before = {name: os.environ.get(name) for name in folders}
    os.environ.update(folders)
    try:
        with chdir(home):
            with FileLock(data / "dagster.lock"):  # two processes that make Dagster's tables at once disturb each other
                instance = _instance(home)
            with instance:
                yield instance
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _instance(home: Path) -> dg.DagsterInstance:
    """Returns the instance of dagster.yaml. Raises SettingsError, which says what is wrong with the file."""
    file = home / "dagster.yaml"
    try:
        return dg.DagsterInstance.get()
    except Exception as error:
        why = _in_a_line(error)
        if isinstance(error, OSError | sqlite3.Error) or type(error).__module__.startswith(_OF_STORAGES):
            why = _in_a_line(error.__cause__ or error)
            text = f"Dagster's storage, which {file} names, cannot be used: {why}. ecom doctor says more."
            raise settings.SettingsError(text) from error
        if "Couldn't import module ecom_assets." in why:
            why = f"{file} was copied from another version of this project, whose modules have moved"
        else:
            why = f"{file} cannot be used: {why}"
        raise settings.SettingsError(
            f"{why}. Replace it by {settings.PROJECT / 'dagster.yaml'}; if you changed yours, carry the changes over."
        ) from error


def _in_a_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300].rstrip(".")


def prepare(instance: dg.DagsterInstance) -> None:
    """Prepares an instance for its first daemon: one writing run at a time, and no run retried that ended before."""
    # The queue ignores the default limit of a pool that it has not seen.
    instance.event_log_storage.set_concurrency_slots(IO_MANAGER, 1)
    follow_runs_from_now(instance)


def storage_problem() -> str:
    """Returns why runs and ticks cannot be read from Dagster's storage; empty if they can."""
    try:
        with in_dagster_home() as instance:
            instance.get_runs_count()
            instance.fetch_run_status_changes(dg.DagsterEventType.RUN_FAILURE, limit=1)
            instance.all_instigator_state()
    except Exception as error:  # the storage of others raises what it wants
        return " ".join(str(error).split())[:500]
    return ""
