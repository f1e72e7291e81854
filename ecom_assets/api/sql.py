"""Queries in SQL: one SELECT each, in a process of its own that can be killed, on a connection that reaches no file."""

import json
import multiprocessing
import resource
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import duckdb
from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from ecom_assets.api.problems import Problem
from ecom_assets.api.published import as_json, plain
from ecom_assets.errors import UserError
from ecom_assets.serving.ledger import snapshot_name
from ecom_assets.serving.snapshot import NothingPublished, open_snapshot

PATH = "/sql"
MAX_SECONDS = 5.0
MAX_ROWS = 1_000
MAX_BYTES = 10_000_000
MAX_QUERY_BYTES = 100_000
_AT_ONCE = 2
_MEMORY = "512MB"
_ADDRESS_SPACE = 4 << 30
_PLACE = "snapshot.duckdb"
"""What clients read instead of the path of the snapshot."""
_AFTER_START_SECONDS = 10.0
"""How long a process may take to start on a busy machine, before its query."""


class Refused(UserError):
    """A query is not a single SELECT, or DuckDB refuses it."""


def add_sql(app: FastAPI, snapshot: Path, problems: Any) -> None:
    """Adds the route; `problems` returns the descriptions of the problems with some statuses."""
    processes = _Processes(snapshot)

    async def sql(request: Request) -> Response:
        query = (await request.body())[: MAX_QUERY_BYTES + 1]
        if len(query) > MAX_QUERY_BYTES:
            raise Problem(413, f"A query has at most {MAX_QUERY_BYTES} bytes.")
        try:
            text = query.decode()
        except UnicodeDecodeError as error:
            raise Problem(400, "A query is text in UTF-8.") from error
        found = await run_in_threadpool(processes.ask, text)
        return Response(found, media_type="application/json")

    app.add_api_route(
        PATH,
        sql,
        methods=["POST"],
        operation_id="sql",
        summary=f"Rows of one SELECT over the snapshot: at most {MAX_ROWS}, within {MAX_SECONDS:.0f} seconds",
        tags=["sql"],
        openapi_extra={
            "requestBody": {"required": True, "content": {"text/plain": {"schema": {"type": "string", "minLength": 1}}}}
        },
        responses={
            200: {"description": "Rows", "content": {"application/json": {"schema": _ROWS}}},
            **problems(400, 401, 403, 408, 413, 503),
        },
        response_class=JSONResponse,
    )


class _Processes:
    """Processes that answer a query each; few at once."""

    def __init__(self, snapshot: Path) -> None:
        self._snapshot = snapshot
        self._free = threading.BoundedSemaphore(_AT_ONCE)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])

    def ask(self, query: str) -> bytes:
        """Returns the answer to a query as JSON. Raises Problem."""
        if not self._free.acquire(timeout=MAX_SECONDS):
            raise Problem(503, "Other queries are running.", {"Retry-After": f"{MAX_SECONDS:.0f}"})
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_answer, args=(theirs, str(self._snapshot), query), daemon=True)
        try:
            process.start()
            theirs.close()
            kind, found = self._result(ours)
        finally:
            process.kill()
            process.join()
            ours.close()
            self._free.release()
        if kind == "rows":
            return bytes(found)
        status = {"refused": 400, "late": 408, "unpublished": 503}[kind]
        raise Problem(status, str(found), {"Retry-After": "10"} if status == 503 else None)

    def _result(self, ours: Connection) -> tuple[str, Any]:
        late = "late", f"The query took longer than {MAX_SECONDS:.0f} seconds, and was stopped."
        try:
            if not ours.poll(_AFTER_START_SECONDS):
                return late
            ours.recv()  # it has started
            return ours.recv() if ours.poll(MAX_SECONDS) else late
        except EOFError:
            return "refused", "The query needs too much memory, and was stopped."


def _answer(to: Connection, snapshot: str, query: str) -> None:
    """Sends, from a process of its own, that it has started, and then the answer to a query."""
    to.send("started")
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (int(2 * MAX_SECONDS), int(2 * MAX_SECONDS)))
    try:
        to.send(("rows", _rows(Path(snapshot), query)))
    except NothingPublished:
        to.send(("unpublished", "Nothing has been published."))
    except (Refused, duckdb.Error) as error:
        to.send(("refused", str(error).partition("\n")[0].replace(snapshot, _PLACE)))


def _rows(snapshot: Path, query: str) -> bytes:
    with open_snapshot(snapshot) as con:
        name = snapshot_name(con)
        con.execute(f"set memory_limit = '{_MEMORY}'; set max_temp_directory_size = '0B'; set threads = 2")
        con.execute("set enable_external_access = false; set lock_configuration = true")
        statements = con.extract_statements(query)
        if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
            raise Refused("Send one SELECT, and nothing else.")
        found = con.execute(statements[0])
        columns = [{"name": column[0], "type": str(column[1])} for column in found.description or ()]
        rows: list[list[Any]] = []
        size = 0
        while len(rows) <= MAX_ROWS and (row := found.fetchone()) is not None:
            rows.append(as_json(row, _plain))
            size += len(json.dumps(rows[-1]))
            if size > MAX_BYTES:
                raise Refused(f"The rows have more than {MAX_BYTES} bytes: ask for fewer columns or rows.")
    answer = {"snapshot": name, "columns": columns, "rows": rows[:MAX_ROWS], "truncated": len(rows) > MAX_ROWS}
    return json.dumps(answer).replace(json.dumps(str(snapshot))[1:-1], _PLACE).encode()


def _plain(value: Any) -> Any:
    """Returns a value of any type of DuckDB's as JSON has it."""
    if isinstance(value, bytes):
        return value.hex()
    found = plain(value)
    return found if found is None or isinstance(found, (bool, int, float, str)) else str(found)


_ROWS = {
    "type": "object",
    "required": ["snapshot", "columns", "rows", "truncated"],
    "properties": {
        "snapshot": {"type": "string"},
        "columns": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {"type": "string"}, "type": {"type": "string"}}},
        },
        "rows": {"type": "array", "items": {"type": "array"}, "description": "A list of values per row"},
        "truncated": {"type": "boolean", "description": f"Whether there are more than {MAX_ROWS} rows"},
    },
}
