"""The doctor: what of the installation is wrong, and what to do. It works while other things are broken."""

import datetime as dt
import importlib.util
import os
import re
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from ecom_assets.alerting.configuration import ChannelSettings, Secret, SecretMissing
from ecom_assets.alerting.delivery import LAST_TICK
from ecom_assets.alerting.store import open_store
from ecom_assets.errors import UserError
from ecom_assets.landing.feed_settings import read_feed_settings
from ecom_assets.monitoring.machine import disk
from ecom_assets.monitoring.report import Level, Part, Reason
from ecom_assets.postgres.connection import connected, name_of
from ecom_assets.settings import FILE, PROJECT, Settings, SettingsError

PYTHONS = (3, 11), (3, 15)
BUILT = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
"""No clock is earlier than this code."""
AHEAD = dt.timedelta(minutes=2)
"""What was written may be so far in the future before the clock is wrong."""
CONNECT_SECONDS = 5.0
_EXACT = re.compile(r"([\w.-]+)(?:\[[\w,]+\])?==([\w.]+)")
_PORTS = {"http": 80, "https": 443}


def examined(
    known: Settings | SettingsError,
    data: Path,
    home: Path,
    storage_problem: Callable[[], str],
    *,
    connect: bool = False,
) -> Iterator[Part]:
    """Yields each part once it has been examined; one that cannot be is critical and says why.

    `known` are the settings, or what is wrong with them, `storage_problem` says why Dagster's storage cannot be used.
    Hosts of channels and the database are only tried if `connect` says so.
    """
    settings, wrong = (known, None) if isinstance(known, Settings) else (Settings(data), known)
    parts: dict[str, Callable[[], Part]] = {
        "versions": _versions,
        "settings": lambda: _settings(settings, wrong),
        "secrets": lambda: _secrets(settings),
        "clock": lambda: _clock(settings, dt.datetime.now(dt.UTC)),
        "disk": lambda: disk(settings),
        "permissions": lambda: _permissions(settings, home),
        "locks": lambda: _locks(settings),
        "warehouse": lambda: _warehouse(settings),
        "snapshot": lambda: _snapshot(settings),
        "alerts": lambda: _alerts(settings),
        "dagster": lambda: _dagster(home, storage_problem),
    }
    if connect:
        parts["channels"] = lambda: _channels(settings)
        parts["postgres"] = lambda: _postgres(settings)
    for name, examine in parts.items():
        try:
            yield examine()
        except Exception as error:
            why = " ".join(str(error).split()) or type(error).__name__
            reason = Reason(Level.CRITICAL, f"It cannot be examined: {why.rstrip('.')}.", "Mend this first.")
            yield Part(name, "Not known.", [reason])


def _critical(text: str, advice: str) -> Reason:
    return Reason(Level.CRITICAL, text, advice)


def _warning(text: str, advice: str) -> Reason:
    return Reason(Level.WARNING, text, advice)


def _versions() -> Part:
    found = []
    if not PYTHONS[0] <= sys.version_info < PYTHONS[1]:
        found.append(
            _critical(f"Python is {sys.version.split()[0]}; 3.11 to 3.14 work.", "make PYTHON=/path/to/python3")
        )
    try:
        wanted = [match for text in metadata.requires("ecom_assets") or () if (match := _EXACT.match(text))]
    except metadata.PackageNotFoundError:
        wanted = []
    for match in wanted:
        try:
            installed = metadata.version(match[1])
        except metadata.PackageNotFoundError:
            found.append(_critical(f"{match[1]} is not installed.", "make install"))
            continue
        if installed.removesuffix(".0") != match[2].removesuffix(".0"):
            found.append(_warning(f"{match[1]} is {installed}, tried with {match[2]}.", "make install"))
    return Part("versions", f"Python {sys.version.split()[0]}, {len(wanted)} pinned packages.", found)


def _settings(known: Settings, wrong: SettingsError | None) -> Part:
    found = [_critical(f"{wrong}", "The rest is examined with the default settings.")] if wrong else []
    feeds = known.landing / "feeds.toml"
    if feeds.exists():
        try:
            read_feed_settings(feeds)
        except (OSError, ValueError) as error:
            found.append(_critical(str(error), "docs/landing-zone.md lists the settings of feeds."))
    zone = f"{known.time_zone}, from {known.start}" + (f" to {known.end}" if known.end else "")
    return Part("settings", f"{known.data}: {zone}.", found)


def _secrets_of(known: Settings) -> list[tuple[str, Secret]]:
    """Returns all secrets with the names of their channels."""
    single = {"webhook": known.webhook, "postgres": known.postgres}
    found = [(name, secret) for name, secret in single.items() if secret]
    for channel in known.alerting.channels:
        found += [(channel.name, secret) for secret in (channel.url, channel.password) if secret and secret.name]
    return found


def _secrets(known: Settings) -> Part:
    """Returns whether all secrets can be read, and by this user alone. Shows none."""
    found = []
    for name, secret in _secrets_of(known):
        try:
            if not secret.reveal():
                found.append(_critical(f"The secret of {name} is empty.", "docs/alerts.md says how to set it."))
        except SecretMissing as error:
            found.append(_critical(f"The secret of {name}: {error}", "docs/alerts.md says how to set it."))
        file = Path(secret.name) if secret.source == "file" else known.data / FILE
        if secret.source != "env" and file.exists() and file.stat().st_mode & 0o077:
            found.append(_warning(f"Others can read {file}, which has the secret of {name}.", f"chmod 600 {file}"))
    return Part("secrets", f"{len(_secrets_of(known))} secrets of channels and databases.", found)


def _clock(known: Settings, now: dt.datetime) -> Part:
    """Returns whether anything was written after now: then the clock was set back."""
    found = []
    if now < BUILT:
        found.append(_critical(f"The clock says {now:%Y-%m-%d}.", "Set the clock, best by NTP."))
    written = {
        path: dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
        for path in (known.warehouse, known.snapshot, known.alert_store, known.monitoring_report)
        if path.exists()
    }
    for path, at in written.items():
        if at > now + AHEAD:
            text = f"{path} was written at {at:%Y-%m-%d %H:%M} UTC, which is still to come: the clock was set back."
            found.append(_critical(text, "Set the clock, best by NTP; days run again by themselves if need be."))
    return Part("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC.", found)


def _permissions(known: Settings, home: Path) -> Part:
    """Returns whether a file can be made in each folder, and each file of the platform be read and written."""
    found = []
    folders = (known.data, known.landing, known.alert_store.parent, home, home / "data" / "dagster")
    for folder in (folder for folder in folders if folder.exists()):
        try:
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor"):
                pass
        except OSError as error:
            advice = (
                f"Give the user of the platform the folder: chown -R $USER {folder}; is the disk mounted read-only?"
            )
            found.append(_critical(f"No file can be made in {folder}: {error.strerror}.", advice))
    for file in (known.warehouse, known.snapshot, known.alert_store):
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            found.append(_critical(f"{file} cannot be read and written.", f"chown $USER {file}; chmod u+rw {file}"))
    return Part("permissions", f"{len(folders)} folders.", found)


def _locks(known: Settings) -> Part:
    """Returns who has the warehouse; only what is wrong with a lock itself is a fault."""
    if not known.data.exists():
        return Part("locks", "No data folder yet.")
    held = _is_held(known.data / "warehouse.lock")
    return Part("locks", "A run or command is using the warehouse." if held else "The warehouse is free.")


def _is_held(lock: Path) -> bool:
    if not lock.exists():
        return False
    try:
        FileLock(lock, thread_local=False).acquire(timeout=0).lock.release()
    except Timeout:
        return True
    return False


def _warehouse(known: Settings) -> Part:
    from ecom_assets.sql import connect, is_locked_out
    from ecom_assets.warehouse.ledger.schema import known_version

    if not known.warehouse.exists():
        return Part("warehouse", "None yet: the first run makes it.")
    if _is_held(known.data / "warehouse.lock"):
        return Part("warehouse", "In use, so it was not opened.")
    import duckdb

    aside = f"mv {known.warehouse} {known.warehouse}.damaged; then ecom run --stale rebuilds it from the landing zone."
    try:
        with closing(connect(known.warehouse, read_only=True)) as con:
            version = known_version(con)
    except duckdb.IOException as error:
        if is_locked_out(error):
            return Part("warehouse", "In use by another program, so it was not opened.")
        return Part("warehouse", "It cannot be opened.", [_critical(_first_line(error), aside)])
    except duckdb.Error as error:
        return Part("warehouse", "It cannot be opened.", [_critical(_first_line(error), aside)])
    return Part("warehouse", f"It opens; its ledger has schema version {version}.")


def _snapshot(known: Settings) -> Part:
    import duckdb

    from ecom_assets.serving.ledger_facts import ledger_facts

    try:
        found = ledger_facts(known.snapshot)
    except duckdb.Error as error:
        advice = "ecom run --stale publishes it again: the warehouse has all that it had."
        return Part("snapshot", "It cannot be read.", [_critical(_first_line(error), advice)])
    if found is None:
        return Part("snapshot", "None yet: the first run publishes it.")
    return Part("snapshot", f"Published at {found.published_at:%Y-%m-%d %H:%M} UTC.")


def _alerts(known: Settings) -> Part:
    if not known.alert_store.exists():
        return Part("alerts", "No store of alerts yet: the first run or tick makes it.")
    try:
        with open_store(known.alert_store) as store:
            [(state,)] = store.con.execute("pragma quick_check").fetchall()[:1]
            last = store.fact(LAST_TICK)
    except sqlite3.Error as error:
        state, last = str(error), None
    if state != "ok":
        advice = f"mv {known.alert_store} {known.alert_store}.damaged; open faults are told once more."
        return Part("alerts", "The store cannot be read.", [_critical(f"{known.alert_store}: {state}.", advice)])
    missing = [c for c in known.alerting.channels if c.kind == "apprise" and not importlib.util.find_spec("apprise")]
    found = [
        _critical(f"The channel {c.name} needs apprise, which is not installed.", "pip install ecom_assets[alerts]")
        for c in missing
    ]
    return Part("alerts", f"Alerting last ran at {last[:16].replace('T', ' ')} UTC." if last else "Not run yet.", found)


def _dagster(home: Path, storage_problem: Callable[[], str]) -> Part:
    if not home.is_dir():
        text = f"DAGSTER_HOME is {home}, which is not a folder."
        return Part("dagster", "Not set up.", [_critical(text, "Create it, or unset the variable.")])
    file = home / "dagster.yaml"
    if not file.exists():
        advice = f"cp {PROJECT / 'dagster.yaml'} {home}"
        return Part("dagster", "Not set up.", [_critical(f"{home} has no dagster.yaml.", advice)])
    if problem := storage_problem():
        advice = f"cp {PROJECT / 'dagster.yaml'} {home}, if the file is wrong; otherwise mend its storage."
        return Part("dagster", "It cannot be used.", [_critical(problem, advice)])
    return Part("dagster", f"{file}; its storage can be read.")


def _channels(known: Settings) -> Part:
    """Returns which hosts of channels take connections. Names hosts and ports, no addresses."""
    found, hosts = [], _hosts(known)
    for name, host, port in hosts:
        try:
            socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
        except OSError as error:
            advice = "Look at the network, the proxy and the name of the host; then: ecom alerts test"
            text = f"{name}: {host}:{port} takes no connection: {error.strerror or error}."
            found.append(_critical(text, advice))
    return Part("channels", f"{len(hosts)} hosts of channels.", found)


def _postgres(known: Settings) -> Part:
    """Returns whether the database of the settings takes connections."""
    if known.postgres is None:
        return Part("postgres", "No database is set to publish in.")
    try:
        with connected(known.postgres.reveal()) as con:
            return Part("postgres", f"{name_of(con)} takes connections as {con.info.user}.")
    except UserError as error:
        advice = "docs/exports.md says how the address and the password are set."
        return Part("postgres", "It cannot be reached.", [_critical(f"{error}", advice)])


def _hosts(known: Settings) -> Sequence[tuple[str, str, int]]:
    """Returns channel, host and port of all channels whose address says them, and can be read."""
    found = []
    webhook = ChannelSettings("slack", "webhook", url=known.webhook) if known.webhook else None
    for channel in (*((webhook,) if webhook else ()), *known.alerting.channels):
        if channel.host:
            found.append((channel.name, channel.host, channel.port))
            continue
        try:
            parts = urlsplit(channel.url.reveal())
            port = parts.port or _PORTS.get(parts.scheme)
        except (SecretMissing, ValueError):  # `secrets` says so
            continue
        if parts.hostname and port:
            found.append((channel.name, parts.hostname, port))
    return found


def _first_line(error: Exception) -> str:
    return f"{str(error).partition(chr(10))[0].rstrip('.')}."
