"""What a channel is, and how sending can fail."""

from typing import Protocol

from ecom_assets.alerting.events import Severity
from ecom_assets.alerting.messages import Message


class NotSent(OSError):
    """A message that surely did not arrive, and can be sent again. Other OSErrors leave it open whether it did."""


class Refused(OSError):
    """A message that the receiver does not take, now or later."""


class Channel(Protocol):
    """A way to send messages. Errors and representations show no secret."""

    @property
    def name(self) -> str:
        """The name under which deliveries are recorded."""

    @property
    def least(self) -> Severity:
        """The mildest severity that it gets."""

    def send(self, message: Message) -> None:
        """Sends a message. Raises NotSent, Refused, and OSError if it may have arrived."""

    def send_short(self, message: Message, text: str) -> None:
        """Sends a text in place of a message that was refused. Raises OSError."""
