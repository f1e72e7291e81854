"""Work in a separate process, so that no measurement affects the time or memory of another."""

import importlib
import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

CORES = 2
PROJECT = Path(__file__).resolve().parent.parent


class ChildFailed(Exception):
    """Work in a separate process ended with an error."""


@dataclass
class Spent:
    """Wall-clock seconds, and CPU seconds of all cores together."""

    wall: float = 0.0
    cpu: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.wall + other.wall, self.cpu + other.cpu)


def free_port() -> int:
    """Returns a port of loopback on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def memory(process: int) -> float:
    """Returns the most memory that a process has had, in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


@contextmanager
def spending() -> Iterator[Spent]:
    """Measures the block; the figures are available when it has ended."""
    spent, wall, cpu = Spent(), time.perf_counter(), time.process_time()
    yield spent
    spent.wall, spent.cpu = time.perf_counter() - wall, time.process_time() - cpu


def whole(command: Sequence[str], home: Path, environment: Mapping[str, str]) -> Spent:
    """Returns what a command spent from start to exit, its children included, in a home as its working directory.

    It inherits no settings of the platform, Dagster or dbt. Raises ChildFailed.
    """
    ours = ("ECOM_", "DAGSTER_", "DBT_", "SQLMESH_", "PYTHONPATH")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    given = {"DAGSTER_DISABLE_TELEMETRY": "1", **environment}
    with TemporaryFile() as said, spending() as spent:
        with _on_cores(CORES):
            process = subprocess.Popen(command, cwd=home, env=clean | given, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise ChildFailed(f"{' '.join(command)}:\n{said.read().decode(errors='replace')[-4000:]}")
    return Spent(spent.wall, used.ru_utime + used.ru_stime)


@contextmanager
def _on_cores(cores: int) -> Iterator[None]:
    """Keeps this process, and those that it starts in the block, to some cores, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    all_cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(all_cores)[:cores])
    yield
    os.sched_setaffinity(0, all_cores)


def call(work: Callable[..., dict[str, Any]], home: Path, *, cores: int = CORES, **arguments: Any) -> dict[str, Any]:
    """Returns the result of `work(home, **arguments)` in a separate process, with `peak_mb`, its peak memory in MB.

    `home` is its working directory and Dagster's home; the platform's data are below it. Arguments and result
    must be JSON. Raises ChildFailed.
    """
    home.mkdir(parents=True, exist_ok=True)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ECOM_", "DAGSTER_"))}
    given = {
        "ECOM_DATA": str(home / "data"),
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": str(PROJECT),
    }
    if cores == 1:
        given["POLARS_MAX_THREADS"] = "1"
    command = [sys.executable, "-m", __name__, work.__module__, work.__name__, str(cores), json.dumps(arguments)]
    done = subprocess.run(command, cwd=home, env=clean | given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChildFailed(f"{work.__module__}.{work.__name__}:\n{done.stderr[-4000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _main(module: str, name: str, cores: str, arguments: str) -> None:
    with _on_cores(int(cores)):
        work = getattr(importlib.import_module(module), name)
        result = work(Path.cwd(), **json.loads(arguments))
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    sys.stdout.write(f"\n{json.dumps({**result, 'peak_mb': round(peak)})}\n")


if __name__ == "__main__":
    _main(*sys.argv[1:])
