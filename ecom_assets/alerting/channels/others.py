"""Further services through apprise, an extra: `pip install ecom_assets[alerts]`."""

import importlib

from ecom_assets.alerting.channels.channel import NotSent
from ecom_assets.alerting.channels.http import revealed
from ecom_assets.alerting.configuration import ChannelSettings
from ecom_assets.alerting.messages import Message

MISSING = "apprise is not installed: pip install ecom_assets[alerts]"


class Others:
    """Sends messages to the service that an address of apprise names."""

    def __init__(self, settings: ChannelSettings) -> None:
        self.name, self.least = settings.name, settings.least
        self._url = settings.url

    def send(self, message: Message) -> None:
        """Sends a message. Raises NotSent."""
        kind = "success" if message.is_over else "warning" if message.severity == "warning" else "failure"
        self._notify(message.headline(), "\n".join(message.lines()), kind)

    def send_short(self, message: Message, text: str) -> None:
        """Sends a text in place of a message. Raises NotSent."""
        self._notify(text, text, "failure")

    def _notify(self, title: str, body: str, kind: str) -> None:
        try:
            apprise = importlib.import_module("apprise")
        except ImportError:
            raise NotSent(MISSING) from None
        services = apprise.Apprise()
        if not services.add(revealed(self._url)):
            raise NotSent("its address is not one of apprise's")
        if not services.notify(title=title, body=body or title, notify_type=kind):
            raise NotSent("apprise could not send it")
