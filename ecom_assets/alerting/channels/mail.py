"""E-mail over SMTP with TLS."""

import smtplib
import ssl
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from typing import TYPE_CHECKING

from ecom_assets.alerting.channels.channel import NotSent, Refused
from ecom_assets.alerting.channels.http import revealed
from ecom_assets.alerting.configuration import ChannelSettings
from ecom_assets.alerting.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_SECONDS = 10.0


class Mail:
    """Sends each message as a mail; those of an incident are one thread."""

    def __init__(self, settings: ChannelSettings) -> None:
        self.name, self.least = settings.name, settings.least
        self._settings = settings

    def send(self, message: Message) -> None:
        """Sends a message. Raises NotSent, Refused, and OSError if it may have arrived."""
        self._send(message, message.id, "\n".join([message.headline(), "", *message.lines()]))

    def send_short(self, message: Message, text: str) -> None:
        """Sends a text in place of a message. Raises OSError as `send` does."""
        self._send(message, f"{message.id}:short", text)

    def _send(self, message: Message, id: str, text: str) -> None:
        known = self._settings
        domain = parseaddr(known.sender)[1].rpartition("@")[2] or "localhost"
        mail = EmailMessage()
        state = "resolved" if message.is_over else str(message.severity)
        mail["Subject"] = " ".join(f"[{state}] {message.what}".split())
        mail["From"], mail["To"], mail["Date"] = known.sender, ", ".join(known.to), formatdate()
        mail["Message-ID"] = f"<{id.replace(':', '.')}@{domain}>"
        mail["References"] = f"<{message.incident}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text)
        with _errors(), self._connection() as server:
            server.send_message(mail)

    @contextmanager
    def _connection(self) -> "Iterator[smtplib.SMTP]":
        known = self._settings
        password = revealed(known.password) if known.password else None
        try:
            context = ssl.create_default_context(cafile=known.ca_file or None)
            if known.tls == "tls":
                server: smtplib.SMTP = smtplib.SMTP_SSL(
                    known.host, known.port, timeout=TIMEOUT_SECONDS, context=context
                )
            else:
                server = smtplib.SMTP(known.host, known.port, timeout=TIMEOUT_SECONDS)
        except (OSError, smtplib.SMTPException) as error:
            raise NotSent(f"there is no connection to its server ({_named(error)})") from None
        try:
            try:
                if known.tls == "starttls":
                    server.starttls(context=context)
                if password is not None:
                    server.login(known.user, password)
            except (OSError, smtplib.SMTPException) as error:
                raise NotSent(f"its server grants no secure login ({_named(error)})") from None
            yield server
        finally:
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
            server.close()


@contextmanager
def _errors() -> "Iterator[None]":
    """Turns errors of SMTP into those of channels; their own texts may repeat what was sent."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        codes = {code for code, _ in error.recipients.values()}
        raise _of_code(min(codes, default=500)) from None
    except smtplib.SMTPResponseException as error:
        raise _of_code(error.smtp_code) from None
    except (NotSent, Refused):
        raise
    except (OSError, smtplib.SMTPException) as error:
        raise OSError(f"its server has not confirmed the mail ({_named(error)})") from None


def _of_code(code: int) -> OSError:
    text = f"its server answers with SMTP status {code}"
    return Refused(text) if code >= 500 else NotSent(text)


def _named(error: Exception) -> str:
    code = getattr(error, "smtp_code", None)
    return f"SMTP status {code}" if code else type(error).__name__
