"""What can be set about alerts: channels, owners, the address of the UI. Secrets show nowhere."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ecom_assets.alerting.events import Severity
from ecom_assets.errors import UserError, suggestion

LOCAL_UI = "http://127.0.0.1:3000"
KINDS = ("slack", "teams", "json", "email", "alertmanager", "apprise")
TLS = ("starttls", "tls", "none")
_ADDRESS = re.compile(r"https?://[!-~]+")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class SecretMissing(UserError):
    """A secret that its environment variable or file does not give."""


@dataclass(frozen=True)
class Secret:
    """A value that is read when it is used: from an environment variable, from a file, or as it stands in settings."""

    source: str
    name: str = field(repr=False)

    @classmethod
    def parse(cls, value: Any) -> "Secret":
        """Returns the secret of a text, of `{env = …}` or of `{file = …}`. Raises ValueError."""
        if isinstance(value, str) and value:
            return cls("settings", value)
        match value:
            case {"env": str(name)} if len(value) == 1 and name:
                return cls("env", name)
            case {"file": str(name)} if len(value) == 1 and name:
                return cls("file", name)
        raise ValueError('a text, { env = "NAME" } or { file = "PATH" }')

    def reveal(self) -> str:
        """Returns the value. Raises SecretMissing, which names the variable or file."""
        if self.source == "settings":
            return self.name
        if self.source == "env":
            if value := os.environ.get(self.name):
                return value
            raise SecretMissing(f"The environment variable {self.name} is not set.")
        try:
            return Path(self.name).read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            raise SecretMissing(f"The file {self.name} cannot be read ({type(error).__name__}).") from error


_NO_ADDRESS = Secret("settings", "")


@dataclass(frozen=True)
class ChannelSettings:
    """A channel beside the file. `least` is the mildest severity that it gets; `url` the address, if it has one."""

    kind: str
    name: str
    least: Severity = Severity.WARNING
    url: Secret = _NO_ADDRESS
    host: str = ""
    port: int = 0
    tls: str = "starttls"
    ca_file: str = ""
    user: str = ""
    password: Secret | None = None
    sender: str = ""
    to: tuple[str, ...] = ()


@dataclass(frozen=True)
class AlertSettings:
    """All that can be set about alerts. `owners` are those of tables by pattern, the first that fits."""

    ui: str = LOCAL_UI
    owner: str = "data-platform"
    owners: tuple[tuple[str, str], ...] = ()
    channels: tuple[ChannelSettings, ...] = ()

    def owner_of(self, table: str) -> str:
        """Returns who owns a table."""
        return next((who for pattern, who in self.owners if fnmatchcase(table, pattern)), self.owner)


@dataclass(frozen=True)
class Delivery:
    """Where alerts are stored and sent: the store, the file that has all messages, the channels, one webhook more."""

    store: Path
    file: Path
    settings: AlertSettings
    webhook: Secret | None = None


def parse(table: Any) -> AlertSettings:
    """Returns the settings of a table of TOML. Raises ValueError with what is wrong, and never with a secret."""
    if not isinstance(table, Mapping):
        raise ValueError("a table, [alerting]")
    _check_names(table, ("ui", "owner", "owners", "channels"), "[alerting]")
    ui = _text(table.get("ui", LOCAL_UI), "ui").rstrip("/")
    if not _ADDRESS.fullmatch(ui):
        raise ValueError(f"ui as an address like {LOCAL_UI}")
    owners = table.get("owners", {})
    if not isinstance(owners, Mapping) or not all(isinstance(who, str) for who in owners.values()):
        raise ValueError('owners as a table like { "silver.*" = "ann@shop.example" }')
    channels = table.get("channels", [])
    if not isinstance(channels, list):
        raise ValueError("channels as tables, [[alerting.channels]]")
    found = tuple(_channel(channel) for channel in channels)
    names = [channel.name for channel in found]
    if len({*names, "file", "webhook"}) < len(names) + 2:
        raise ValueError("each channel with a name of its own: set name")
    return AlertSettings(ui, _text(table.get("owner", AlertSettings.owner), "owner"), tuple(owners.items()), found)


def _channel(table: Any) -> ChannelSettings:
    if not isinstance(table, Mapping) or table.get("kind") not in KINDS:
        raise ValueError(f"kind of each channel as one of {', '.join(KINDS)}")
    kind = table["kind"]
    mail = ("host", "port", "tls", "ca_file", "user", "password", "sender", "to")
    _check_names(table, ("kind", "name", "least", *(mail if kind == "email" else ("url",))), f"a channel of {kind}")
    values: dict[str, Any] = {"kind": kind, "name": _text(table.get("name", kind), "name")}
    if table.get("least", "warning") not in list(Severity):
        raise ValueError(f"least as one of {', '.join(Severity)}")
    values["least"] = Severity(table.get("least", "warning"))
    if kind != "email":
        return ChannelSettings(**values, url=_secret(table, "url"))
    values |= {name: _text(table.get(name), name) for name in ("host", "sender")}
    values |= {name: _text(table[name], name) for name in ("tls", "ca_file", "user") if name in table}
    if values.get("tls", "starttls") not in TLS:
        raise ValueError(f"tls as one of {', '.join(TLS)}")
    if values.get("tls") == "none" and values["host"] not in _LOOPBACK:
        raise ValueError("tls as starttls or tls: without, mail goes to this machine only")
    to = table.get("to")
    if not isinstance(to, list) or not to or not all(isinstance(who, str) and "@" in who for who in to):
        raise ValueError('to as addresses like ["ann@shop.example"]')
    port = table.get("port", 465 if values.get("tls") == "tls" else 587)
    if type(port) is not int or not 0 < port < 65536:
        raise ValueError("port as a number like 587")
    if "user" in values:
        values["password"] = _secret(table, "password")
    return ChannelSettings(**values, port=port, to=tuple(to))


def _secret(table: Mapping[str, Any], name: str) -> Secret:
    try:
        return Secret.parse(table.get(name))
    except ValueError as error:
        raise ValueError(f"{name} as {error}") from None


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value or "\n" in value or "\r" in value:
        raise ValueError(f"{name} as a text on one line")
    return value


def _check_names(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for name in table:
        if name not in known:
            raise ValueError(f"only known settings: {where} has {name!r}{suggestion(name, known)}")
