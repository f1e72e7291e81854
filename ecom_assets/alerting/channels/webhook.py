"""Webhooks: Slack, Teams, and plain JSON for everybody else."""

import json
from typing import Any

from ecom_assets.alerting.channels.http import post
from ecom_assets.alerting.configuration import ChannelSettings
from ecom_assets.alerting.events import Severity
from ecom_assets.alerting.messages import Message

MARKS = {
    Severity.CRITICAL: ":red_circle:",
    Severity.ERROR: ":large_orange_circle:",
    Severity.WARNING: ":large_yellow_circle:",
}
OVER = ":large_green_circle:"
MAX_CHARACTERS = 3_000
"""Slack cuts longer texts into several messages."""


class Webhook:
    """Posts messages in the form that the kind of receiver takes."""

    def __init__(self, settings: ChannelSettings) -> None:
        self.name, self.least, self._kind = settings.name, settings.least, settings.kind
        self._url = settings.url

    def send(self, message: Message) -> None:
        """Posts a message, with its id as `Idempotency-Key`. Raises OSError as `post` does."""
        body = {"slack": slack, "teams": teams, "json": plain}[self._kind](message)
        post(self._url, body, headers={"Idempotency-Key": message.id})

    def send_short(self, message: Message, text: str) -> None:
        """Posts a text in place of a message. Raises OSError as `post` does."""
        short = {"slack": {"text": _escaped(text)}, "teams": _card([_block(text)], []), "json": {"what": text}}
        post(self._url, short[self._kind], headers={"Idempotency-Key": f"{message.id}:short"})


def plain(message: Message) -> dict[str, Any]:
    """Returns all fields of a message."""
    return dict(json.loads(message.to_json()))


def slack(message: Message) -> dict[str, Any]:
    """Returns a message as Slack takes it: one text, with bold first line."""
    mark = OVER if message.is_over else MARKS[message.severity]
    lines = [f"{mark} *{_escaped(message.headline())}*", *map(_escaped, message.lines())]
    text = "\n".join(lines)
    return {"text": text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]} …"}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def teams(message: Message) -> dict[str, Any]:
    """Returns a message as a Teams workflow takes it: an adaptive card with buttons."""
    color = "good" if message.is_over else "warning" if message.severity is Severity.WARNING else "attention"
    links = {"Run": message.run, "Asset": message.asset}
    head = {**_block(message.headline()), "weight": "bolder", "size": "medium", "color": color}
    lines = [line for line in message.lines() if not line.startswith(("Run: ", "Asset: "))]
    buttons = [{"type": "Action.OpenUrl", "title": name, "url": url} for name, url in links.items() if url]
    return _card([head, *map(_block, lines)], buttons)


def _block(text: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True}


def _card(body: list[dict[str, Any]], buttons: list[dict[str, Any]]) -> dict[str, Any]:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": buttons,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}
