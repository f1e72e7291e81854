"""Settings: the data folder, the calendar, strictness.

Each setting has a default, can be set in `settings.toml` in the data folder, and is overridden by
an environment variable: ECOM_DATA, ECOM_START, ECOM_END, ECOM_TIMEZONE, ECOM_CURRENCY,
ECOM_STRICT, ECOM_MEMORY_LIMIT, ECOM_KAFKA, ECOM_EXTRACT, ECOM_WEBHOOK, ECOM_POSTGRES. The last two are
secrets, which a file can have that ECOM_WEBHOOK_FILE or ECOM_POSTGRES_FILE names. The table `alerting` is
set in `settings.toml` only.
"""

import dataclasses
import datetime as dt
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ecom_assets.alerting import configuration
from ecom_assets.alerting.configuration import AlertSettings, Delivery, Secret
from ecom_assets.days import ONE_DAY, Window
from ecom_assets.errors import UserError
from ecom_assets.landing.files import replace_toml
from ecom_assets.postgres.connection import is_address

PACKAGE = Path(__file__).resolve().parent
PROJECT = PACKAGE.parent
API_PORT, DASHBOARD_PORT = 8000, 8501
API, DASHBOARD = f"http://127.0.0.1:{API_PORT}", f"http://127.0.0.1:{DASHBOARD_PORT}"
"""Where the servers are by default."""
FILE = "settings.toml"
NO_CHANNELS = AlertSettings()
DEFAULT_START = dt.date(2024, 1, 1)


class SettingsError(UserError):
    """A setting has an invalid value."""


@dataclass(frozen=True)
class Settings:
    """All settings, validated."""

    data: Path
    start: dt.date = DEFAULT_START
    end: dt.date | None = None
    time_zone: str = "UTC"
    currency: str | None = None
    strict: bool = False
    memory_limit: str | None = None
    webhook: Secret | None = None
    postgres: Secret | None = None
    """Address of the database in which the star schema and the measures are published."""
    extract: Path | None = None
    """Feed map by which the asset `extracts/database` lands what is new in the shop's own database."""
    alerting: AlertSettings = NO_CHANNELS
    kafka: Mapping[str, Secret] = field(default_factory=dict, hash=False)
    """The client's settings, named as librdkafka does."""

    @property
    def landing(self) -> Path:
        return self.data / "landing"

    @property
    def warehouse(self) -> Path:
        return self.data / "warehouse.duckdb"

    @property
    def snapshot(self) -> Path:
        return self.data / "snapshot.duckdb"

    @property
    def so_far(self) -> Path:
        """The file with the tables of the running day."""
        return self.data / "today.duckdb"

    @property
    def truth(self) -> Path:
        """Folder of the truth about the synthetic shop. No pipeline reads it."""
        return self.data / "truth"

    @property
    def alerts(self) -> Path:
        return self.data / "monitoring" / "alerts.jsonl"

    @property
    def alert_store(self) -> Path:
        return self.data / "monitoring" / "alerts.sqlite"

    @property
    def monitoring_report(self) -> Path:
        return self.data / "monitoring" / "monitoring_report.json"

    @property
    def metrics(self) -> Path:
        """The figures of the report, in Prometheus' text format."""
        return self.data / "monitoring" / "metrics.prom"

    @property
    def profiles(self) -> Path:
        """Folder of the profiles of what was last published."""
        return self.data / "profiles"

    @property
    def catalogue(self) -> Path:
        """Folder of the catalogue site."""
        return self.data / "catalogue"

    @property
    def stream_status(self) -> Path:
        """How the consumer of streams is."""
        return self.data / "monitoring" / "stream.json"

    @property
    def dead_letters(self) -> Path:
        """Folder of the records of streams that could not land."""
        return self.data / "dead_letters"

    @property
    def api_keys(self) -> Path:
        """The keys of the API, as hashes."""
        return self.data / "api" / "keys.json"

    @property
    def exports(self) -> Path:
        """Folder of the export that the asset makes."""
        return self.data / "exports"

    @property
    def run_log(self) -> Path:
        """What each run wrote, one JSON object per table and window."""
        return self.data / "monitoring" / "runs.jsonl"

    @property
    def delivery(self) -> Delivery:
        """Where alerts are stored and sent."""
        return Delivery(self.alert_store, self.alerts, self.alerting, self.webhook)

    @property
    def calendar(self) -> Window:
        """The first to the last day; without an end, to the last date possible."""
        return Window(self.start, self.end or dt.date.max)

    def past_days(self) -> Window | None:
        """Returns the days of the calendar that are over; only these can be run. None if the first is not over."""
        last = min(yesterday(self.time_zone), self.calendar.last)
        return Window(self.start, last) if last >= self.start else None

    def running_day(self) -> dt.date | None:
        """Returns the day that is not over yet, in the shop's time zone; None if the calendar does not have it."""
        day = yesterday(self.time_zone) + ONE_DAY
        return day if day in self.calendar else None


def yesterday(time_zone: str) -> dt.date:
    """Returns the last day that is over in a time zone."""
    return dt.datetime.now(ZoneInfo(time_zone)).date() - ONE_DAY


def _day(value: Any) -> dt.date:
    return value if type(value) is dt.date else dt.date.fromisoformat(value)


def _truth(value: Any) -> bool:
    return value if isinstance(value, bool) else {"1": True, "true": True, "0": False, "false": False}[value]


def _currency(value: Any) -> str:
    if not re.fullmatch(r"[A-Z]{3}", value):
        raise ValueError(value)
    return str(value)


def _size(value: Any) -> str:
    if not re.fullmatch(r"(?i)\d+(\.\d+)? ?[KMGT]i?B", value):
        raise ValueError(value)
    return str(value)


def _address(value: Any) -> Secret:
    found = Secret.parse(value)
    if found.source == "settings" and not re.fullmatch(r"https?://[!-~]+", found.name):
        raise ValueError(value)
    return found


def _database(value: Any) -> Secret:
    found = Secret.parse(value)
    if found.source == "settings" and not is_address(found.name):
        raise ValueError
    return found


def _client(value: Any) -> Mapping[str, Secret]:
    given = {"bootstrap.servers": value} if isinstance(value, str) else dict(value)
    if not given.get("bootstrap.servers"):
        raise ValueError(value)
    return {name: Secret.parse(one) for name, one in given.items()}


_KNOWN: dict[str, tuple[Callable[[Any], Any], str]] = {
    "start": (_day, "a day like 2024-01-31"),
    "end": (_day, "a day like 2024-01-31"),
    "time_zone": (lambda value: ZoneInfo(value).key, "a time zone like Europe/Berlin"),
    "currency": (_currency, "a code of three letters like EUR"),
    "strict": (_truth, "true or false"),
    "memory_limit": (_size, "a size like 2GB"),
    "webhook": (_address, "an address like https://hooks.slack.com/services/T0/B0/x"),
    "postgres": (_database, 'an address like postgres://USER@HOST/DATABASE, { env = "NAME" } or { file = "PATH" }'),
    "extract": (Path, "the path of a feed map"),
    "alerting": (configuration.parse, "a table"),
    "kafka": (_client, 'addresses such as "broker:9092", or a table with bootstrap.servers and others of librdkafka'),
}
"""The parser of each setting, and a description of valid values for error messages."""
_SECRETS = ("webhook", "postgres")


def data_folder() -> Path:
    """Returns the data folder."""
    return Path(os.environ.get("ECOM_DATA") or PROJECT / "data").resolve()


def dagster_home() -> Path:
    """Returns Dagster's home: DAGSTER_HOME, or the project."""
    return Path(os.environ.get("DAGSTER_HOME", PROJECT)).absolute()


def load(data: Path | None = None, otherwise: Settings | None = None) -> Settings:
    """Returns the current settings; `otherwise` replaces defaults. Raises SettingsError with a bad value's place."""
    folder = (data or data_folder()).resolve()
    file = folder / FILE
    given: dict[str, tuple[Any, str]] = {}
    if file.exists():
        try:
            read = tomllib.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise SettingsError(f"{file} cannot be read: {error}") from error
        given = {name: (value, f"{file}: {name}") for name, value in read.items()}
    for name in _KNOWN:
        variable = "ECOM_" + name.upper().replace("TIME_ZONE", "TIMEZONE")
        if name in _SECRETS and os.environ.get(f"{variable}_FILE"):
            given[name] = ({"file": os.environ[f"{variable}_FILE"]}, f"{variable}_FILE")
        if name != "alerting" and os.environ.get(variable):
            given[name] = (os.environ[variable], variable)
    values = {name: _checked(name, value, place) for name, (value, place) in given.items()}
    found = dataclasses.replace(otherwise or Settings(folder), data=folder, **values)
    if found.extract:
        found = dataclasses.replace(found, extract=folder / found.extract)
    if found.end and found.end < found.start:
        place = given["end"][1] if "end" in given else "The last day"
        raise SettingsError(f"{place} {found.end} is before start {found.start}.")
    return found


def is_saved(data: Path) -> bool:
    """Returns whether a data folder has its own settings."""
    return (data / FILE).exists()


def save(settings: Settings) -> None:
    """Saves the calendar, time zone and currency in the data folder's `settings.toml`."""
    names = ("start", "end", "time_zone", "currency")
    replace_toml(settings.data / FILE, {name: getattr(settings, name) for name in names})


def save_currency(settings: Settings) -> None:
    """Adds the currency to the data folder's `settings.toml`."""
    file = settings.data / FILE
    replace_toml(file, {**tomllib.loads(file.read_text("utf-8")), "currency": settings.currency})


def _checked(name: str, value: Any, place: str) -> Any:
    if name not in _KNOWN:
        raise SettingsError(f"{place} is an unknown setting. Known settings: {', '.join(sorted(_KNOWN))}.")
    read, wanted = _KNOWN[name]
    try:
        return read(value)
    except (ValueError, TypeError, KeyError, OSError) as error:
        if name in ("alerting", "kafka", *_SECRETS):  # their values may be secrets
            raise SettingsError(f"{place} is not valid; write {error if name == 'alerting' else wanted}.") from None
        raise SettingsError(f"{place} is “{value}”; write {wanted}.") from error
