"""Prometheus Alertmanager, by version 2 of its API: it groups, silences and routes by itself."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from ecom_assets.alerting.channels.http import post
from ecom_assets.alerting.configuration import ChannelSettings
from ecom_assets.alerting.incidents import Told
from ecom_assets.alerting.messages import Message

ENDS_AFTER = dt.timedelta(minutes=10)
"""Time after which Alertmanager takes an alert for resolved that is not sent again."""
_PATH = "/api/v2/alerts"


class Alertmanager:
    """Posts each incident as one alert, and again while it is open. It needs no reminders."""

    def __init__(self, settings: ChannelSettings) -> None:
        self.name, self.least = settings.name, settings.least
        self._url = settings.url

    def send(self, message: Message) -> None:
        """Posts a message. Raises OSError as `post` does."""
        if message.kind is not Told.REMINDER:
            post(self._url, [alert(message, dt.datetime.now(dt.UTC))], _PATH)

    def send_short(self, message: Message, text: str) -> None:
        """Posts only the labels and a text. Raises OSError as `post` does."""
        post(self._url, [{**alert(message, dt.datetime.now(dt.UTC)), "annotations": {"summary": text}}], _PATH)

    def refresh(self, messages: Sequence[Message]) -> None:
        """Posts all incidents that are open again. Raises OSError as `post` does."""
        now = dt.datetime.now(dt.UTC)
        if messages:
            post(self._url, [alert(message, now) for message in messages], _PATH)


def alert(message: Message, now: dt.datetime) -> dict[str, Any]:
    """Returns an alert of the API. Its labels stay the same while the incident is open and gets no worse."""
    found = {
        "labels": {"alertname": "ecom_assets", "incident": message.incident, "severity": str(message.severity)},
        "annotations": {"summary": message.headline(), "description": "\n".join(message.lines())},
        "endsAt": message.at if message.is_over else (now + ENDS_AFTER).isoformat(timespec="seconds"),
    }
    if not message.is_over:
        found["startsAt"] = message.at
    return found | ({"generatorURL": link} if (link := message.asset or message.run) else {})
