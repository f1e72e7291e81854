"""Problems in one shape, as RFC 9457 has it: type, title, status, detail."""

import http
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse


class Problem(Exception):
    """What ends a request; `more` are members beside those of the RFC."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, headers, more

    def response(self) -> JSONResponse:
        """Returns the response to the client."""
        title = http.HTTPStatus(self.status).phrase
        body = {"type": "about:blank", "title": title, "status": self.status, "detail": self.detail, **self.more}
        return JSONResponse(body, self.status, self.headers, "application/problem+json")


SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, and what to do"},
        "parameter": {"type": "string", "description": "The parameter that is wrong, if one is"},
        "errors": {
            "type": "array",
            "description": "What is wrong with rows that were sent",
            "items": {
                "type": "object",
                "properties": {
                    "row": {"type": "integer", "description": "Place of the row, from 0"},
                    "column": {"type": ["string", "null"]},
                    "detail": {"type": "string"},
                },
            },
        },
        "again": {"type": "string", "description": "Where to start again, if the pages of a snapshot are gone"},
    },
}
