"""Answers about a snapshot: their headers, and that nothing has changed."""

import datetime as dt
import hashlib
from dataclasses import replace
from typing import Any

from fastapi import Request
from starlette.responses import JSONResponse, Response

from ecom_assets.api.questions import Question
from ecom_assets.days import contiguous
from ecom_assets.serving.snapshots import Reading

MOST_LOOKED_UP = 10
"""The most numbers that are looked up in an index, and not by reading the table."""
_MOST_PLACES = 1_000


def provisional(question: Question, reading: Reading) -> list[str]:
    """Returns the days of a question that are good and not final, as windows."""
    days = reading.provisional.get(question.table.name, ())
    first, last = question.first or dt.date.min, question.last or dt.date.max
    return [str(window) for window in contiguous(day for day in days if first <= day <= last)]


def narrowed(question: Question, reading: Reading) -> Question:
    """Returns a question for things by their numbers with the places of these, if an index knows them."""
    entity = question.table.entity
    values = (question.equal or {}).get(entity, ()) if entity else ()
    if entity is None or not 0 < len(values) <= MOST_LOOKED_UP:
        return question
    places = reading.places(question.table.name, entity, values)
    return question if places is None or len(places) > _MOST_PLACES else replace(question, places=tuple(places))


def _etag(request: Request, snapshot: str) -> str:
    asked_for = (snapshot, request.url.path, sorted(request.query_params.multi_items()), request.headers.get("accept"))
    return f'"{hashlib.sha256(repr(asked_for).encode()).hexdigest()[:32]}"'


def about(request: Request, snapshot: str) -> dict[str, str]:
    """Returns the headers of an answer that is made from a snapshot."""
    return {"ETag": _etag(request, snapshot), "X-Snapshot": snapshot, "Vary": "Accept"}


def not_changed(request: Request, snapshot: str) -> Response | None:
    """Returns that the client has what it asks for already, if so."""
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if _etag(request, snapshot) in known:
        return Response(status_code=304, headers=about(request, snapshot))
    return None


def answer(body: dict[str, Any], request: Request, snapshot: str) -> Response:
    """Returns the answer with a body that is made from a snapshot; `next` is also a link."""
    following = {"Link": f'<{body["next"]}>; rel="next"'} if body.get("next") else {}
    return JSONResponse(body, headers={**about(request, snapshot), **following})
