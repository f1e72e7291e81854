"""The three stacks, and which commands their users run in which situation."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.child import PROJECT, Spent, whole
from bench.peers.projects import MARTS, SILVER, write_dbt, write_sqlmesh
from ecom_assets import catalog
from ecom_assets.days import ONE_DAY, Window

NIGHTLY = "nightly run"
REQUIREMENTS = Path(__file__).parent / "requirements.txt"


class Unavailable(Exception):
    """What a measurement needs is not there and cannot be installed."""


@dataclass(frozen=True)
class Days:
    """The history, and the three arrival days after it: an ordinary one, one with late rows, one with late changes."""

    history: Window

    @property
    def next(self) -> Window:
        return self._after(1)

    @property
    def late(self) -> Window:
        return self._after(2)

    @property
    def changes(self) -> Window:
        return self._after(3)

    def _after(self, days: int) -> Window:
        return Window(self.history.last + days * ONE_DAY, self.history.last + days * ONE_DAY)


@dataclass(frozen=True)
class Late:
    """What has come late: its arrival day, the days that it belongs to, and whether these are days of the orders."""

    arrival: Window
    days: Window
    is_orders: bool


Way = Callable[[Path], Spent]
"""What is run in a home."""


class Stack(Protocol):
    """What is measured: a stack in a home, whose landing zone is `data/landing` below it."""

    @property
    def name(self) -> str:
        """How the stack is called in the figures."""

    def warm_up(self, home: Path) -> None:
        """Starts the command once, so that its code is compiled and in memory."""

    def prepare(self, home: Path, days: Days) -> None:
        """Writes what the stack needs before its first run."""

    def build(self, home: Path, last: Window) -> Spent:
        """Makes all tables from nothing, up to a day."""

    def day(self, day: Window) -> "dict[str, Way]":
        """Returns what can be run for a new day and all that it settles; the usual way last."""

    def nightly(self, home: Path, day: Window) -> Spent:
        """Runs once more: with nothing new, or with what has come late up to a day."""

    def repairs(self, late: Late) -> "dict[str, Way]":
        """Returns what can be run when something has come late: the nightly run first, the surest way last."""

    def database(self, home: Path) -> Path:
        """Returns the file with the tables."""


def environment(folder: Path) -> Path:
    """Returns the virtual environment with dbt-duckdb and SQLMesh below a folder; makes it if it is missing.

    It is one of its own since dbt-core's pins contradict those of this project's lock. Raises Unavailable.
    """
    made = folder / "peers-venv"
    if not (made / "complete").exists():
        shutil.rmtree(made, ignore_errors=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", str(REQUIREMENTS)]
        for command in ([sys.executable, "-m", "venv", str(made)], [str(made / "bin" / "python"), *install]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
                raise Unavailable(f"dbt-duckdb and SQLMesh could not be installed: {reason}")
        (made / "complete").touch()
    return made


def has_environment(folder: Path) -> bool:
    """Returns whether the peers are installed below a folder."""
    return (folder / "peers-venv" / "complete").exists()


def only_compared(target: Path) -> Path:
    """Copies the platform with only the tables that are compared and what these need. Returns the copy."""
    tables = catalog.tables()
    wanted, waiting = set[str](), [*SILVER, *MARTS]
    while waiting:
        name = waiting.pop()
        if name in wanted:
            continue
        wanted.add(name)
        declared = tables[name]
        _, view = declared.view or ("", "")
        in_view = {found for found in re.findall(r"\b\w+\.\w+\b", view) if found in tables.names}
        waiting += {read.table for read in declared.reads} | set(declared.references) | in_view
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(PROJECT / "ecom_assets", target / "ecom_assets", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "dagster.yaml", target)
    for name in set(tables.names) - wanted:
        layer, _, table = name.partition(".")
        (target / "ecom_assets" / layer / f"{table}.py").unlink()
    return target


def tables_in(project: Path) -> int:
    """Returns the number of tables of a copy of the platform."""
    layers = ("bronze", "silver", "gold", "kpi", "features")
    return sum(
        not file.name.startswith("_") for layer in layers for file in (project / "ecom_assets" / layer).glob("*.py")
    )


@dataclass(frozen=True)
class Platform:
    """This platform, from a copy with the compared tables only."""

    project: Path
    name: str = "ours"

    def warm_up(self, home: Path) -> None:
        whole([sys.executable, "-c", "import ecom_assets.cli.running"], home, {"PYTHONPATH": str(self.project)})

    def prepare(self, home: Path, days: Days) -> None:
        shutil.copy(self.project / "dagster.yaml", home)
        (home / "data" / "settings.toml").write_text(f"start = {days.history.first}\n")

    def build(self, home: Path, last: Window) -> Spent:
        first = (home / "data" / "settings.toml").read_text().split()[-1]
        return self._ecom(home, "run", f"{first}..{last.last}")

    def day(self, day: Window) -> dict[str, Way]:
        return {
            "the day, then stale days": lambda home: self._ecom(home, "run", str(day.first)) + self.nightly(home, day),
            NIGHTLY: lambda home: self.nightly(home, day),
        }

    def nightly(self, home: Path, day: Window) -> Spent:
        return self._ecom(home, "run", "--stale")

    def repairs(self, late: Late) -> dict[str, Way]:
        return {NIGHTLY: lambda home: self.nightly(home, late.arrival)}

    def database(self, home: Path) -> Path:
        return home / "data" / "warehouse.duckdb"

    def _ecom(self, home: Path, *arguments: str) -> Spent:
        command = [sys.executable, "-c", "from ecom_assets.cli.main import main; main()", "--quiet", *arguments]
        environment = {"ECOM_DATA": str(home / "data"), "DAGSTER_HOME": str(home), "PYTHONPATH": str(self.project)}
        return whole(command, home, environment)


@dataclass(frozen=True)
class Dbt:
    """dbt-duckdb, with incremental models that look back three days."""

    venv: Path
    name: str = "dbt"

    def warm_up(self, home: Path) -> None:
        whole([str(self.venv / "bin" / "python"), "-c", "import dbt.cli.main, dbt.adapters.duckdb"], home, {})

    def prepare(self, home: Path, days: Days) -> None:
        write_dbt(home / "project", self.database(home), home / "data" / "landing", str(days.history.first))

    def build(self, home: Path, last: Window) -> Spent:
        return self._dbt(home)

    def day(self, day: Window) -> dict[str, Way]:
        return {NIGHTLY: self._dbt}

    def nightly(self, home: Path, day: Window) -> Spent:
        return self._dbt(home)

    def repairs(self, late: Late) -> dict[str, Way]:
        """The variable makes the facts of all days again of which something arrived, a full refresh those of all."""
        touched = json.dumps({"touched": True})
        by_arrival: dict[str, Way] = {"days touched": lambda home: self._dbt(home, "--vars", touched)}
        return {
            NIGHTLY: self._dbt,
            **(by_arrival if late.is_orders else {}),
            "full refresh": lambda home: self._dbt(home, "--full-refresh"),
        }

    def database(self, home: Path) -> Path:
        return home / "peers.duckdb"

    def _dbt(self, home: Path, *options: str) -> Spent:
        command = [self.venv / "bin" / "dbt", "--quiet", "--no-use-colors", "build", *options]
        folders = ["--project-dir", "project", "--profiles-dir", "project"]
        return whole([str(part) for part in (*command, *folders)], home, {"DO_NOT_TRACK": "1"})


@dataclass(frozen=True)
class SqlMesh:
    """SQLMesh, with models by time range that look back three days."""

    venv: Path
    name: str = "SQLMesh"

    def warm_up(self, home: Path) -> None:
        whole([str(self.venv / "bin" / "python"), "-c", "import sqlmesh.cli.main"], home, {})

    def prepare(self, home: Path, days: Days) -> None:
        write_sqlmesh(home / "project", self.database(home), home / "data" / "landing", str(days.history.first))

    def build(self, home: Path, last: Window) -> Spent:
        return self._plan(home, last)

    def day(self, day: Window) -> dict[str, Way]:
        return {NIGHTLY: lambda home: self.nightly(home, day)}

    def nightly(self, home: Path, day: Window) -> Spent:
        return self._sqlmesh(home, "run", "--end", str(day.last))

    def repairs(self, late: Late) -> dict[str, Way]:
        """A restatement makes the facts of the days again that its user names, and what follows from them."""
        models = ["--restate-model", "gold.fact_sales", "--restate-model", "gold.fact_returns"]
        days = ["--start", str(late.days.first), "--end", str(late.days.last)]

        def restate(home: Path) -> Spent:
            return self.nightly(home, late.arrival) + self._plan(home, late.arrival, *models, *days)

        return {NIGHTLY: lambda home: self.nightly(home, late.arrival), "restatement": restate}

    def database(self, home: Path) -> Path:
        return home / "peers.duckdb"

    def _plan(self, home: Path, last: Window, *options: str) -> Spent:
        now = str(last.last + ONE_DAY)
        return self._sqlmesh(home, "plan", "--auto-apply", "--no-prompts", "--execution-time", now, *options)

    def _sqlmesh(self, home: Path, *arguments: str) -> Spent:
        command: Sequence[str] = [str(self.venv / "bin" / "sqlmesh"), "--paths", "project", *arguments]
        return whole(command, home, {"DO_NOT_TRACK": "1"})
