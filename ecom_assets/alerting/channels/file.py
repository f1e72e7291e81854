"""The file that has every message, one JSON object per line."""

import json
from pathlib import Path

from ecom_assets.alerting.channels.channel import NotSent
from ecom_assets.alerting.events import Severity
from ecom_assets.alerting.messages import Message

LOOKED_BACK = 1_000_000
"""Bytes at the end of the file in which a message is looked for that may have been written already."""


class File:
    """Appends messages that are not in the file yet. Half a line, left by a killed process, is ignored and kept."""

    name = "file"
    least = Severity.WARNING

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, message: Message) -> None:
        """Appends a message. Raises NotSent."""
        try:
            self._append(message)
        except OSError as error:
            raise NotSent(error.strerror or str(error)) from error

    def _append(self, message: Message) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab+") as file:
            file.seek(max(0, file.tell() - LOOKED_BACK))
            end = file.read()
            if message.id in map(_id, end.splitlines()):
                return
            gap = b"" if not end or end.endswith(b"\n") else b"\n"
            file.write(gap + message.to_json().encode() + b"\n")

    def send_short(self, message: Message, text: str) -> None:
        """Does nothing: a file refuses no message."""


def _id(line: bytes) -> str | None:
    """Returns the id of the message on a line; None if it cannot be read."""
    try:
        return str(json.loads(line)["id"])
    except (ValueError, TypeError, KeyError):
        return None
