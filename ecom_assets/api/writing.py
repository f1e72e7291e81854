"""Creating, replacing, reading and deleting single things: rows for the landing zone, and what has become of them."""

import asyncio
import hashlib
import json
import re
import string
import time
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from ecom_assets.api import formats
from ecom_assets.api.answers import MOST_LOOKED_UP, narrowed, provisional
from ecom_assets.api.inbox import TOKEN, Exists, Inbox, KeyUsed, NotWritable, Write
from ecom_assets.api.problems import Problem
from ecom_assets.api.published import Served, parsed
from ecom_assets.api.questions import MAX_LIMIT, asked, at_places
from ecom_assets.api.resources import DELETED, MAX_INTEGER, MAX_ROWS, Resource, Wrong
from ecom_assets.serving.snapshots import Reading, Snapshots
from ecom_assets.serving.written import Fate, Outcome, outcome, unread
from ecom_assets.sql import quoted

MAX_BYTES = 1_000_000
MAX_WAIT_SECONDS = 30
_LOOKS_AGAIN_SECONDS = 0.2
_MOST_SHOWN_ERRORS = 20
_KEY = re.compile(r"[!-~]{1,255}")
_WAITS = re.compile(r"wait=(\d{1,3})")


class Writing:
    """The routes of the things that clients write."""

    def __init__(self, inbox: Inbox, snapshots: Snapshots) -> None:
        self.inbox, self.snapshots = inbox, snapshots

    def add_routes(self, app: FastAPI, problems: Callable[..., dict[int | str, dict[str, Any]]]) -> None:
        """Adds the routes; `problems` returns the descriptions of the problems with some statuses."""
        for resource in self.inbox.known:
            thing = _singular(resource)
            first, *others = resource.id_columns
            path = "/".join([f"/{resource.name}", f"{{{first}:path}}", *(f"{{{name}:int}}" for name in others)])
            row, update, state = resource.row_schema(), resource.row_schema(update=True), _state_schema(resource)
            rows = {
                "type": "object",
                "required": ["rows"],
                "additionalProperties": False,
                "properties": {"rows": {"type": "array", "items": row, "minItems": 1, "maxItems": MAX_ROWS}},
            }
            written = {"description": "It is in the landing zone", **_content(_WRITTEN), "headers": _TOKEN}
            at = [_id_parameter(resource, name) for name in resource.id_columns]
            routes: list[
                tuple[str, str, Callable[..., Any], str, dict[str, Any], dict[int | str, Any], tuple[int, ...]]
            ] = [
                (
                    "POST",
                    f"/{resource.name}",
                    self._create(resource),
                    f"Create {thing}, or up to {MAX_ROWS} by rows",
                    {"parameters": [_IDEMPOTENCY], **_body({"oneOf": [row, rows]})},
                    {201: written},
                    (400, 401, 403, 409, 413, 415, 422, 503),
                ),
                (
                    "GET",
                    path,
                    self._read(resource),
                    f"What is known of {thing}: as it was written, what has become of that, and what is published",
                    {"parameters": [*at, _SYNC]},
                    {200: {"description": "It, as of the snapshot and what was written since", **_content(state)}},
                    (400, 401, 404, 503),
                ),
                (
                    "PUT",
                    path,
                    self._replace(resource),
                    f"Write {thing} as a whole: a new one, or a new version",
                    {"parameters": [*at, _IDEMPOTENCY], **_body(update)},
                    {200: written, 201: written},
                    (400, 401, 403, 404, 409, 413, 415, 422, 503),
                ),
                (
                    "DELETE",
                    path,
                    self._delete(resource),
                    f"Retract {thing}: from then on it counts as deleted",
                    {"parameters": [*at, _IDEMPOTENCY]},
                    {204: {"description": "Its retraction is in the landing zone", "headers": _TOKEN}},
                    (400, 401, 403, 404, 409, 422, 503),
                ),
            ]
            for method, route, act, summary, extra, answers, statuses in routes:
                app.add_api_route(
                    route,
                    act,
                    methods=[method],
                    operation_id=f"{method.lower()}_{resource.name}",
                    summary=summary,
                    tags=["writing"],
                    openapi_extra=extra,
                    responses={**answers, **problems(*statuses)},
                    response_class=Response,
                    status_code=next(iter(answers)),
                )

    async def at_least(self, request: Request) -> None:
        """Waits until the snapshot has the writes that a request names by their tokens. Raises Problem if it has not.

        A write of the thing itself that is asked for need not be published: it is shown as it was written.
        """
        if self.inbox.waiting or "sync-token" in request.headers:  # most requests need no thread for it
            await self._wait(request)

    async def _wait(self, request: Request) -> None:
        await run_in_threadpool(self._look_what_is_pending)
        if (tokens := request.headers.get("sync-token")) is None:
            return
        writes = [self._of_token(token.strip()) for token in tokens.split(",")]
        wait = _WAITS.search(request.headers.get("prefer", ""))
        until = time.monotonic() + (min(int(wait[1]), MAX_WAIT_SECONDS) if wait else 0)
        while late := await run_in_threadpool(self._late, writes, request):
            if time.monotonic() > until:
                text = f"{len(late)} of the writes that Sync-Token names are not published yet."
                raise Problem(503, text, {"Retry-After": "5"})
            await asyncio.sleep(_LOOKS_AGAIN_SECONDS)  # which holds no thread

    def _look_what_is_pending(self) -> None:
        if self.inbox.waiting and self.snapshots.is_published:
            with self.snapshots.reading() as reading:
                self.inbox.look(reading.snapshot, lambda files: unread(reading.con, files))

    def _of_token(self, token: str) -> Write:
        found = self.inbox.of_token(token) if TOKEN.fullmatch(token) else None
        if found is None:
            raise Problem(404, "No write has this Sync-Token.", parameter="Sync-Token")
        return found

    def _late(self, writes: Sequence[Write], request: Request) -> list[Write]:
        return [write for write in writes if not self._is_published(write, request)]

    def _is_published(self, write: Write, request: Request) -> bool:
        resource = self._named(write.resource)
        if any(request.url.path == resource.address(id) for id in write.ids):
            return True
        with self.snapshots.reading() as reading:
            return all(self._outcome(reading, resource, write, id)[0].fate.is_settled for id in write.ids)

    def _named(self, name: str) -> Resource:
        return next(resource for resource in self.inbox.known if resource.name == name)

    def _outcome(
        self, reading: Reading, resource: Resource, write: Write, id: tuple[str, ...]
    ) -> tuple[Outcome, dict[str, Any] | None]:
        """Returns what has become of a row of a write, and the row; None if its file is gone."""
        try:
            place, row = self.inbox.row(resource, write, id)
        except OSError:
            return Outcome(Fate.SUPERSEDED, ["its file is no longer in the landing zone"]), None
        return outcome(reading.con, place), row

    def _create(self, resource: Resource) -> Callable[[Request], Any]:
        def act(request: Request, body: Any) -> Response:
            is_many = isinstance(body, dict) and body.keys() == {"rows"}
            rows = body["rows"] if is_many else [body]
            if not isinstance(rows, list) or not 0 < len(rows) <= MAX_ROWS:
                raise Problem(422, f"Send 1 to {MAX_ROWS} rows.")
            _refuse(resource.wrong(rows))
            ids = [resource.id_of(row) for row in rows]
            if twice := sorted({id for id in ids if ids.count(id) > 1}):
                raise Problem(409, f"{_listed(resource, twice)} comes twice.")
            write, again = self._write(request, resource, rows, body, only_new=True)
            told = _told(resource, write, again)
            if is_many:
                return JSONResponse({"state": Fate.PENDING, "locations": _locations(resource, write)}, 201, told)
            told["Location"] = resource.address(write.ids[0])
            return JSONResponse({"state": Fate.PENDING, "locations": [told["Location"]]}, 201, told)

        return _with_body(act)

    def _replace(self, resource: Resource) -> Callable[[Request], Any]:
        def act(request: Request, body: Any) -> Response:
            id = _id_in(request, resource)
            if not isinstance(body, dict):
                raise Problem(422, "A row is an object of columns and values.")
            row = {**resource.numbers(id, body.get("store")), **body}
            _refuse(resource.wrong([row]))
            if resource.id_of(row) != id:
                raise Problem(409, f"The row is of {resource.address(resource.id_of(row))}, not of this address.")
            is_known = self._is_known(resource, id)
            write, again = self._write(request, resource, [row], body)
            told = _told(resource, write, again) | {"Location": resource.address(id)}
            body = {"state": Fate.PENDING, "locations": _locations(resource, write)}
            return JSONResponse(body, 200 if is_known else 201, told)

        return _with_body(act)

    def _delete(self, resource: Resource) -> Callable[[Request], Response]:
        def delete(request: Request) -> Response:
            id = _id_in(request, resource)
            row = {**resource.numbers(id, None), DELETED: True}
            if not self._is_repeat(request) and not self._is_known(resource, id):
                raise _unknown(resource, id)
            write, again = self._write(request, resource, [row], None)
            return Response(status_code=204, headers=_told(resource, write, again))

        return delete

    def _is_repeat(self, request: Request) -> bool:
        key = _idempotency_key(request)
        return key is not None and self.inbox.has_key(key)

    def _is_known(self, resource: Resource, id: tuple[str, ...]) -> bool:
        """Returns whether there is such a thing: written and not deleted since, or published."""
        return self._found(resource, id)[0] is not None

    def _write(
        self, request: Request, resource: Resource, rows: Sequence[dict[str, Any]], body: Any, only_new: bool = False
    ) -> tuple[Write, bool]:
        if complete := self.inbox.zone.settings(resource.feed_name).complete:
            text = f"feeds.toml says that each file of {resource.feed_name} is complete by {', '.join(complete)}"
            raise Problem(409, f"{text}: a row of its own would replace all others. Land a file with all of them.")
        sent = json.dumps([request.method, request.url.path, body], sort_keys=True).encode()
        digest, key = hashlib.sha256(sent).hexdigest()[:16], _idempotency_key(request)
        try:
            if only_new and not self._is_repeat(request):
                self._refuse_published(resource, [resource.id_of(row) for row in rows])
            return self.inbox.write(resource, rows, key, digest, only_new)
        except Exists as error:
            text = f"{_listed(resource, error.ids)} is there already: PUT writes a new version."
            raise Problem(409, text) from error
        except KeyUsed as error:
            raise Problem(409, "This Idempotency-Key was used for another request.") from error
        except NotWritable as error:
            text = "Another process of ecom api takes what clients write: send it there."
            raise Problem(503, text, {"Retry-After": "10"}) from error

    def _refuse_published(self, resource: Resource, ids: Sequence[tuple[str, ...]]) -> None:
        """Raises Exists if some things are published, and were not deleted since."""
        if not self.snapshots.is_published:
            return
        with self.snapshots.reading() as reading:
            there = {id for table in resource.shown for id in _ids_in(reading, resource, table, ids)}
        deleted = {id for id in there if (write := self.inbox.latest(resource, id)) and write.is_deletion}
        if there - deleted:
            raise Exists(sorted(there - deleted))

    def _read(self, resource: Resource) -> Callable[[Request], Any]:
        async def read(request: Request) -> Response:
            id = _id_in(request, resource)
            await self._wait(request)
            found, snapshot = await run_in_threadpool(self._found, resource, id)
            if found is None:
                raise _unknown(resource, id)
            return JSONResponse({**found, "snapshot": snapshot}, headers={"X-Snapshot": snapshot} if snapshot else {})

        return read

    def _found(self, resource: Resource, id: tuple[str, ...]) -> tuple[dict[str, Any] | None, str | None]:
        """Returns what is known of a thing, None if there is none or it is deleted, and the snapshot asked."""
        if self.snapshots.is_published:
            with self.snapshots.reading() as reading:
                return self._state(reading, resource, id), reading.snapshot
        write = self.inbox.latest(resource, id)
        if write is None or write.is_deletion:
            return None, None
        return _state(resource, id, Outcome(Fate.PENDING), self.inbox.row(resource, write, id)[1], {}, {}), None

    def _state(self, reading: Reading, resource: Resource, id: tuple[str, ...]) -> dict[str, Any] | None:
        """Returns what is known of a thing, None if there is none or it is deleted."""
        became, row = Outcome(Fate.ACCEPTED), None
        if write := self.inbox.latest(resource, id):
            became, row = self._outcome(reading, resource, write, id)
            if write.is_deletion and became.fate in (Fate.PENDING, Fate.ACCEPTED, Fate.DELETED):
                return None
            row = None if write.is_deletion else row
        published, not_final = {}, {}
        for table in resource.shown:
            if rows := _published(reading, resource, table, id):
                published[table.name] = rows
                not_final[table.name] = provisional(asked(table, []), reading)
        if row is None and not published:
            return None
        return _state(resource, id, became, row, published, not_final)


def _state(
    resource: Resource,
    id: tuple[str, ...],
    became: Outcome,
    row: dict[str, Any] | None,
    published: dict[str, list[dict[str, Any]]],
    not_final: dict[str, list[str]],
) -> dict[str, Any]:
    return {
        "location": resource.address(id),
        "state": became.fate,
        "reasons": list(became.reasons),
        "row": row,
        "published": published,
        "provisional": not_final,
    }


def _published(reading: Reading, resource: Resource, table: Served, id: tuple[str, ...]) -> list[dict[str, Any]]:
    """Returns the rows about a thing in a published table, the newest day first."""
    given = list(zip(resource.id_columns, id, strict=True))
    if any(name not in table.columns for name, _ in given):
        return []
    try:
        for name, text in given:
            parsed(table.columns[name].kind, text)
    except ValueError:
        return []
    question = asked(table, [*given, ("sort", f"-{table.day}"), ("limit", str(MAX_LIMIT))])
    query, values = narrowed(question, reading).sql()
    return formats.records(question.columns, reading.con.execute(query, values).fetchall())


def _ids_in(
    reading: Reading, resource: Resource, table: Served, ids: Sequence[tuple[str, ...]]
) -> set[tuple[str, ...]]:
    """Returns which of some numbers a published table has."""
    if any(name not in table.columns for name in resource.id_columns):
        return set()
    names = ", ".join(f"{quoted(name)}::varchar as {quoted(name)}" for name in resource.id_columns)
    first, numbers = resource.id_columns[0], [id[0] for id in ids]
    rows = f"select distinct {names} from {table.name} where {quoted(first)} in ({', '.join(['?'] * len(ids))})"
    if len(numbers) <= MOST_LOOKED_UP and (places := reading.places(table.name, first, numbers)) is not None:
        rows += f" and {at_places(places)}"
    return set(reading.con.execute(rows, numbers).fetchall()) & set(ids)


def _id_in(request: Request, resource: Resource) -> tuple[str, ...]:
    """Returns the number in the address of a request. Raises Problem for one that nothing can have."""
    id = tuple(str(request.path_params[name]) for name in resource.id_columns)
    if any("\0" in part or part != part.strip(string.whitespace) or not part for part in id):
        raise _unknown(resource, id)
    return id


def _unknown(resource: Resource, id: tuple[str, ...]) -> Problem:
    return Problem(404, f"There is no {resource.address(id)}, or it was deleted.")


def _with_body(act: Callable[[Request, Any], Response]) -> Callable[[Request], Any]:
    """Returns the route that reads the JSON of a request, and then acts on it in a thread."""

    async def route(request: Request) -> Response:
        body = await _json_of(request)
        return await run_in_threadpool(act, request, body)

    return route


async def _json_of(request: Request) -> Any:
    """Returns the body of a request, at most MAX_BYTES of JSON. Raises Problem."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "Send JSON, with Content-Type: application/json.")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BYTES:
            raise Problem(413, f"A request has at most {MAX_BYTES} bytes: send fewer rows.")
    try:
        return json.loads(body.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"The body is not JSON: {error}") from error


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        text = "An Idempotency-Key is 1 to 255 printable characters of ASCII without spaces."
        raise Problem(400, text, parameter="Idempotency-Key")
    return key


def _refuse(wrong: Sequence[Wrong]) -> None:
    """Raises Problem if anything is wrong with rows."""
    if not wrong:
        return
    errors = [{"row": each.row, "column": each.column, "detail": each.detail} for each in wrong[:_MOST_SHOWN_ERRORS]]
    more = f" The first {_MOST_SHOWN_ERRORS} of {len(wrong)} are listed." if len(wrong) > _MOST_SHOWN_ERRORS else ""
    raise Problem(422, f"{wrong[0].detail} Nothing was written.{more}", errors=errors)


def _told(resource: Resource, write: Write, again: bool) -> dict[str, str]:
    return {"Sync-Token": write.token, **({"Idempotent-Replayed": "true"} if again else {})}


def _locations(resource: Resource, write: Write) -> list[str]:
    return [resource.address(id) for id in write.ids]


def _listed(resource: Resource, ids: Sequence[tuple[str, ...]]) -> str:
    return ", ".join(resource.address(id) for id in ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")


def _singular(resource: Resource) -> str:
    name = resource.name.removesuffix("s")
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


_TOKEN = {
    "Sync-Token": {
        "description": "Send it with later requests, which then show at least this write",
        "schema": {"type": "string"},
    }
}
_WRITTEN = {
    "type": "object",
    "required": ["state", "locations"],
    "properties": {
        "state": {"const": Fate.PENDING.value},
        "locations": {"type": "array", "items": {"type": "string"}, "description": "Addresses of what was written"},
    },
}
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "pattern": f"^{_KEY.pattern}$"},
    "description": "Name of the request, chosen by the client: sent again, it writes nothing and is answered alike",
}
_SYNC = {
    "name": "Sync-Token",
    "in": "header",
    "schema": {"type": "string", "pattern": f"^{TOKEN.pattern}$"},
    "description": "Token of a write that the answer has to know; Prefer: wait=20 waits for its publication",
}


def _state_schema(resource: Resource) -> dict[str, Any]:
    properties = {
        "location": {"type": "string"},
        "snapshot": {"type": ["string", "null"], "description": "Snapshot that the answer is as of"},
        "state": {
            "enum": [str(fate) for fate in Fate if fate is not Fate.DELETED],
            "description": "What has become of the row; accepted if it is not from a client",
        },
        "reasons": {"type": "array", "items": {"type": "string"}, "description": "Why it is in that state"},
        "row": {"type": ["object", "null"], "description": "As a client last wrote it; null if none did"},
        "published": {
            "type": "object",
            "description": "Rows about it in the snapshot, by table",
            "properties": {table.name: {"type": "array", "items": table.row_schema()} for table in resource.shown},
        },
        "provisional": {"type": "object", "description": "Days of these tables that are not final"},
    }
    return {"type": "object", "required": list(properties), "properties": properties}


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, **_content(schema)}}


def _id_parameter(resource: Resource, name: str) -> dict[str, Any]:
    column = resource.feed.columns[name]
    kind = {"type": "string", "minLength": 1}
    if column.kind == "integer":
        kind = {"type": "integer", "minimum": 1, "maximum": MAX_INTEGER}
    return {"name": name, "in": "path", "required": True, "schema": kind, "description": column.description}
