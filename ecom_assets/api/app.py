"""The API's application: routes, keys, caching and problems."""

import asyncio
import datetime as dt
import importlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import is_dataclass, replace
from enum import Enum
from typing import Any
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Request
from starlette.datastructures import URL, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ecom_assets.alerting.store import open_store
from ecom_assets.api import formats
from ecom_assets.api.answers import about, answer, narrowed, not_changed, provisional
from ecom_assets.api.inbox import Inbox
from ecom_assets.api.keys import ApiKey, holder, keys
from ecom_assets.api.problems import SCHEMA as PROBLEM
from ecom_assets.api.problems import Problem
from ecom_assets.api.published import Served, as_json, plain, schema, served
from ecom_assets.api.questions import (
    CURSOR,
    DEFAULT_LIMIT,
    FORMATS,
    MAX_LIMIT,
    BadQuestion,
    Cursors,
    Question,
    UnknownCursor,
    asked,
    parts,
)
from ecom_assets.api.resources import resources
from ecom_assets.api.sql import PATH as SQL_PATH
from ecom_assets.api.sql import add_sql
from ecom_assets.api.writing import Writing
from ecom_assets.days import Window
from ecom_assets.declaration import Catalog
from ecom_assets.errors import UserError, suggestion
from ecom_assets.landing.zone import Zone
from ecom_assets.serving.ledger import column_lineage
from ecom_assets.serving.report import report
from ecom_assets.serving.snapshot import NothingPublished
from ecom_assets.serving.snapshots import Reading, SnapshotGone, Snapshots
from ecom_assets.settings import Settings

LOOPBACK = ("127.0.0.1", "localhost", "::1")
OPEN = ("/healthz", "/openapi.json")
"""What needs no key."""
_log = logging.getLogger(__name__)


def application(known: Settings, tables: Catalog, host: str = LOOPBACK[0], sql: bool = False) -> FastAPI:
    """Returns the application that serves what the settings' platform has published, and lands what clients write.

    It answers queries in SQL if `sql`.
    """
    api = _Api(known, tables, sql)

    @asynccontextmanager
    async def following(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(importlib.import_module, "pandas")  # which DuckDB loads for the first parameter
        await asyncio.to_thread(api.inbox.open)
        api.snapshots.follow()
        yield
        api.inbox.close()
        api.snapshots.close()

    # Its pages for people would load scripts from elsewhere.
    app = FastAPI(
        title="ecom_assets",
        version="1",
        description="What the platform last published: measures, facts and dimensions by day, and how far they hold.",
        docs_url=None,
        redoc_url=None,
        lifespan=following,
    )
    app.add_middleware(_Guard, api=api)
    if host in LOOPBACK:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK, "[::1]"])
    for error, handler in _HANDLERS.items():
        app.add_exception_handler(error, handler)
    api.add_routes(app)
    return app


class _Api:
    def __init__(self, known: Settings, tables: Catalog, sql: bool) -> None:
        self.known, self.tables, self.sql = known, served(tables), sql
        self.snapshots, self.cursors = Snapshots(known.snapshot), Cursors()
        zone, lock = Zone(known.landing), known.api_keys.with_name("writing.lock")
        writable = resources(tables, self.tables, zone)
        self.inbox = Inbox(zone, lock, writable, known.calendar, known.time_zone)
        self.writing = Writing(self.inbox, self.snapshots)
        self._keys: tuple[int, list[ApiKey]] = (0, [])
        self._first_page: dict[str, Any] = {"snapshot": None}

    def add_routes(self, app: FastAPI) -> None:
        as_of = [Depends(self.writing.at_least)]
        self.writing.add_routes(app, _problems)
        if self.sql:
            add_sql(app, self.known.snapshot, _problems)
        plain_routes: list[tuple[str, Callable[..., Any], str, str]] = [
            ("/", self.first_page, "first_page", "The report: recent measures, compared, and how far they hold"),
            ("/healthz", self.health, "health", "Whether there is something to read"),
            ("/metrics", self.metrics, "metrics", "The figures of the monitoring report, in Prometheus' text format"),
            ("/alerts", self.alerts, "alerts", "Open incidents, the worst first"),
            ("/dictionary", self.dictionary, "dictionary", "The tables, what a row is, and their columns"),
            ("/lineage", self.lineage, "lineage", "From which columns each column of the tables is computed"),
        ]
        for path, act, name, summary in plain_routes:
            app.add_api_route(
                path,
                act,
                name=name,
                operation_id=name,
                summary=summary,
                responses=_PROBLEMS,
                response_class=PlainTextResponse if path == "/metrics" else JSONResponse,
                dependencies=[] if path in OPEN else as_of,
            )
        for table in self.tables.values():
            path, name = f"/tables/{table.name}", table.name.replace(".", "_")
            app.add_api_route(
                path,
                self._rows(table),
                operation_id=name,
                summary=table.description.partition("\n")[0],
                tags=[table.layer],
                openapi_extra={"parameters": _parameters(table)},
                responses={200: _page_of(table), 304: {"description": "Not changed since"}, **_PROBLEMS},
                response_class=Response,
                dependencies=as_of,
            )
            if table.entity:
                app.add_api_route(
                    f"{path}/{{{table.entity}:path}}",  # numbers such as 2024/17
                    self._entity(table),
                    operation_id=f"{name}_by_{table.entity}",
                    summary=f"All rows of one {table.entity}, the newest day first",
                    tags=[table.layer],
                    openapi_extra={"parameters": [_path_parameter(table)]},
                    responses={200: _page_of(table), 304: {"description": "Not changed since"}, **_PROBLEMS},
                    response_class=Response,
                    dependencies=as_of,
                )

    def refuses(self, request: Request) -> Response | None:
        """Returns the refusal of a request that needs a key and brings none that holds."""
        known = self._known_keys()
        if not known or request.url.path in OPEN:
            return None
        kind, _, key = request.headers.get("authorization", "").partition(" ")
        found = holder(known, key.strip(), dt.datetime.now(dt.UTC)) if kind.lower() == "bearer" else None
        if found is None:
            text = "Send a key that holds: Authorization: Bearer ecom_… `ecom api-key create` makes one."
            return Problem(401, text, {"WWW-Authenticate": 'Bearer realm="ecom_assets"'}).response()
        scope = "sql" if request.url.path == SQL_PATH else "read" if request.method in ("GET", "HEAD") else "write"
        if scope not in found.scopes:
            text = f"The key {found.shown}… does not open this: `ecom api-key create NAME --scope {scope}` makes one."
            challenge = f'Bearer realm="ecom_assets", error="insufficient_scope", scope="{scope}"'
            return Problem(403, text, {"WWW-Authenticate": challenge}).response()
        return None

    def not_changed(self, request: Request) -> Response | None:
        """Returns that the client has what it asks for already, if that can be said at once."""
        told = request.headers
        if "if-none-match" not in told or "sync-token" in told or (snapshot := self.snapshots.current()) is None:
            return None
        return not_changed(request, snapshot)

    def _known_keys(self) -> list[ApiKey]:
        path = self.known.api_keys
        written = path.stat().st_mtime_ns if path.exists() else 0
        if self._keys[0] != written:
            self._keys = written, keys(path)
        return self._keys[1]

    def first_page(self, request: Request) -> Response:
        snapshot = self.snapshots.newest()
        if same := not_changed(request, snapshot):
            return same
        while self._first_page["snapshot"] != snapshot:
            made = self._made_first_page(snapshot)
            if (newest := self.snapshots.newest()) == snapshot:
                self._first_page = made
            snapshot = newest
        return answer(self._first_page, request, snapshot)

    def _made_first_page(self, snapshot: str) -> dict[str, Any]:
        shown, note = None, ""
        try:
            shown = _plain(report(self.known.snapshot))
        except NothingPublished:
            raise
        except UserError as error:
            note = str(error)
        links = ["/alerts", "/dictionary", "/lineage", "/metrics", *(f"/tables/{name}" for name in self.tables)]
        return {"snapshot": snapshot, "report": shown, "note": note, "links": links}

    def health(self) -> Response:
        return JSONResponse({"status": "ok", "snapshot": self.snapshots.newest()})

    def metrics(self) -> Response:
        if not self.known.metrics.exists():
            raise Problem(404, "No monitoring report has been written yet: a sensor does, while make ui runs.")
        return Response(self.known.metrics.read_bytes(), media_type="text/plain; version=0.0.4")

    def alerts(self) -> Response:
        if not self.known.alert_store.exists():
            return JSONResponse({"incidents": []})
        with open_store(self.known.alert_store) as store:
            found = store.open_incidents()
        return JSONResponse(
            {
                "incidents": [
                    {
                        "severity": m.severity,
                        "since": plain(at.replace(tzinfo=None)),
                        "what": m.what,
                        "lines": m.lines(),
                    }
                    for m, at in found
                ]
            }
        )

    def dictionary(self) -> Response:
        return JSONResponse({"tables": [_declared(table) for table in self.tables.values()]})

    def lineage(self, request: Request) -> Response:
        with self.snapshots.reading() as reading:
            if same := not_changed(request, reading.snapshot):
                return same
            found = [source._asdict() for source in column_lineage(reading.con)]
            return answer({"columns": found}, request, reading.snapshot)

    def _rows(self, table: Served) -> Callable[[Request], Response]:
        def rows(request: Request) -> Response:
            question = asked(table, request.query_params.multi_items())
            wanted, again = _format(request), str(request.url.remove_query_params("cursor"))
            snapshot, after = None, None
            try:
                if (cursor := request.query_params.get("cursor")) is not None:
                    snapshot, after = self.cursors.read(question, cursor)
                with ExitStack() as stack:
                    reading = stack.enter_context(self.snapshots.reading(snapshot))
                    if same := not_changed(request, reading.snapshot):
                        return same
                    if wanted == "json":
                        page = self._page_in(request.url, question, reading, after)
                        return answer(page, request, reading.snapshot)
                    return _streamed(request, question, reading, after, wanted, stack)
            except UnknownCursor as unknown:
                raise Problem(404, str(unknown), again=again) from unknown
            except SnapshotGone as gone:
                text = "The snapshot that these pages are of is no longer kept. Start again with the newest."
                raise Problem(410, text, again=again) from gone

        return rows

    def _page_in(self, url: URL, question: Question, reading: Reading, after: Sequence[Any] | None) -> dict[str, Any]:
        """Returns a page of a question's rows, with the address of the following one: `url` and a cursor."""
        limit = question.limit or DEFAULT_LIMIT
        query, given = replace(narrowed(question, reading), limit=limit + 1).sql(after, beside=True)
        rows = reading.con.execute(query, given).fetchall()
        following = None
        if len(rows) > limit:
            place = rows[limit - 1][len(question.columns) :]
            following = str(url.include_query_params(cursor=self.cursors.write(question, reading.snapshot, place)))
        return {
            "snapshot": reading.snapshot,
            "table": question.table.name,
            "provisional": provisional(question, reading),
            "rows": formats.records(question.columns, rows[:limit]),
            "next": following,
        }

    def _entity(self, table: Served) -> Callable[[Request], Response]:
        assert table.entity
        entity = table.entity

        def rows(request: Request) -> Response:
            id = request.path_params[entity]
            with self.snapshots.reading() as reading:
                if same := not_changed(request, reading.snapshot):
                    return same
                given = [(entity, id), ("sort", f"-{table.day}"), ("limit", str(MAX_LIMIT))]
                page = self._page_in(
                    request.url.replace(path=f"/tables/{table.name}", query=urlencode(given)),
                    asked(table, given),
                    reading,
                    None,
                )
                if not page["rows"]:
                    raise Problem(404, f"{table.name} has no row of {entity} {id!r}.")
                return answer(page, request, reading.snapshot)

        return rows


class _Guard:
    """Lets requests pass that need no key or bring one that holds, and sets headers.

    Not one of Starlette's own kind: those end a response well whose rows could not all be sent.
    """

    def __init__(self, app: ASGIApp, api: _Api) -> None:
        self._app, self._api = app, api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Cache-Control", "no-cache")
                if "X-Snapshot" in headers and self._api.inbox.waiting:
                    headers["X-Pending"] = str(self._api.inbox.waiting)
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        act = self._api.refuses(request) or self._api.not_changed(request) or self._app
        await act(scope, receive, with_headers)


def _format(request: Request) -> str:
    """Returns the format that is asked for: by the parameter, else by the header Accept. Raises Problem."""
    if named := request.query_params.get("format"):
        if named not in FORMATS:
            raise BadQuestion("format", f"There is no format {named!r}{suggestion(named, FORMATS)}")
        return named
    accepted = [part.partition(";")[0].strip() for part in request.headers.get("accept", "*/*").split(",")]
    for part in accepted:
        for name, media_type in FORMATS.items():
            if part in ("*/*", "", media_type) or (part.endswith("/*") and media_type.startswith(part[:-1])):
                return name
    raise Problem(406, f"The formats are {', '.join(FORMATS.values())}.")


def _streamed(
    request: Request,
    question: Question,
    reading: Reading,
    after: Sequence[Any] | None,
    wanted: str,
    opened: ExitStack,
) -> Response:
    """Returns all rows, after a place if one is given; what is open is kept until they are sent."""
    told = about(request, reading.snapshot)
    told["X-Provisional"] = ", ".join(provisional(question, reading))
    asked_for = [question.sql(after)] if after is not None or question.sort else parts(question, reading.con)
    pieces = formats.WRITERS[wanted](reading.con, asked_for, question.columns)
    return StreamingResponse(_until_done(pieces, opened.pop_all()), media_type=FORMATS[wanted], headers=told)


def _until_done(pieces: Iterator[bytes], kept: ExitStack) -> Iterator[bytes]:
    with kept:
        yield from pieces


def _plain(value: Any) -> Any:
    """Returns a value or a record of ours, with all that it holds, as JSON has it."""
    if isinstance(value, Window):
        return {"from": str(value.first), "to": str(value.last)}
    if is_dataclass(value) and not isinstance(value, type):
        return as_json(vars(value), _plain)
    if isinstance(value, Enum):
        return value.value
    return plain(value)


def _declared(table: Served) -> dict[str, Any]:
    return {
        "table": table.name,
        "description": table.description,
        "key": list(table.key),
        "day": table.day,
        "columns": [
            {
                "name": c.name,
                "kind": c.kind,
                "may_be_null": c.may_be_null,
                "personal": c.personal,
                "description": c.description,
            }
            for c in table.columns.values()
        ],
    }


_STATUSES = {
    400: "The request is wrong",
    401: "No key that holds",
    403: "The key does not open this",
    404: "There is no such thing",
    406: "No such format",
    408: "It takes too long",
    409: "It does not fit what is there",
    410: "The snapshot is no longer kept",
    413: "It is too large",
    415: "It is not JSON",
    422: "What was sent cannot be accepted",
    503: "Nothing has been published, or it is not up to what was asked for",
}


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Returns the descriptions of responses that are problems."""
    content = {"application/problem+json": {"schema": PROBLEM}}
    return {status: {"description": _STATUSES[status], "content": content} for status in statuses}


_PROBLEMS = _problems(400, 401, 403, 404, 406, 410, 503)


def _page_of(table: Served) -> dict[str, Any]:
    """Returns the description of the response with rows of a table."""
    page = {
        "type": "object",
        "required": ["snapshot", "table", "provisional", "rows", "next"],
        "properties": {
            "snapshot": {"type": "string"},
            "table": {"const": table.name},
            "provisional": {"type": "array", "items": {"type": "string"}, "description": "Days that are not final"},
            "rows": {"type": "array", "items": table.row_schema()},
            "next": {"type": ["string", "null"], "description": "The following page of the same snapshot"},
        },
    }
    others = {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in FORMATS.values()}
    return {"description": "Rows", "content": {**others, "application/json": {"schema": page}}}


def _parameters(table: Served) -> list[dict[str, Any]]:
    """Returns the description of the parameters of a table's rows."""
    names = "|".join(table.columns)
    day = {"type": "string", "format": "date"}
    known: list[tuple[str, dict[str, Any], str]] = [
        ("from", day, f"First {table.day}"),
        ("to", day, f"Last {table.day}"),
        ("columns", {"type": "string", "pattern": f"^({names})(,({names}))*$"}, "Columns, separated by commas"),
        (
            "sort",
            {"type": "string", "pattern": f"^-?({names})(,-?({names}))*$"},
            "Columns to sort by, -column descends",
        ),
        (
            "limit",
            {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
            f"Most rows; of a page of JSON, {DEFAULT_LIMIT} unless it is given, of other formats all",
        ),
        ("cursor", {"type": "string", "pattern": f"^{CURSOR}$"}, "Place that the page before gave in next"),
        ("format", {"enum": list(FORMATS)}, "Format, instead of the header Accept"),
    ]
    known += [
        (
            c.name,
            {"type": "array", "items": schema(replace(c, nullable=False, unknown_without=None))},
            f"One of these: {c.description}",
        )
        for c in table.filters
    ]
    return [{"name": name, "in": "query", "schema": kind, "description": text} for name, kind, text in known]


def _path_parameter(table: Served) -> dict[str, Any]:
    assert table.entity
    text = table.columns[table.entity].description
    schema = {"type": "string", "minLength": 1}
    return {"name": table.entity, "in": "path", "required": True, "schema": schema, "description": text}


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _wrong(request: Request, error: Exception) -> Response:
    assert isinstance(error, BadQuestion)
    return Problem(400, str(error), parameter=error.parameter).response()


async def _not_there(request: Request, error: Exception) -> Response:
    return Problem(503, str(error).partition(": ")[2] or str(error), {"Retry-After": "10"}).response()


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = dict(error.headers or {})
    if error.status_code == 405:  # Starlette names the methods of one route, and an address may have several
        at = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
        told["Allow"] = ", ".join(sorted({method for route in at for method in getattr(route, "methods", ())}))
    details = {404: "There is no such address. / lists what there is.", 405: "This address takes no such method."}
    return Problem(error.status_code, details.get(error.status_code, str(error.detail)), told).response()


async def _unexpected(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed.", request.method, request.url.path, exc_info=error)
    return Problem(500, "The server failed; its log says why.").response()


_HANDLERS: dict[Any, Any] = {
    Problem: _problem,
    BadQuestion: _wrong,
    UserError: _not_there,
    HTTPException: _of_http,
    Exception: _unexpected,
}
