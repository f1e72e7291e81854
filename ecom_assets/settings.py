"""Settings: where the data stand, which days there are, how strict to be.

Each setting has a default, may stand in `settings.toml` in the data folder, and may be overruled by
an environment variable: ECOM_DATA, ECOM_START, ECOM_END, ECOM_TIMEZONE, ECOM_STRICT,
ECOM_MEMORY_LIMIT, ECOM_WEBHOOK.
"""

import datetime as dt
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ecom_assets.days import Window
from ecom_assets.errors import UserError

PROJECT = Path(__file__).resolve().parent.parent
_TRUTH = {"1": True, "true": True, "0": False, "false": False}
FILE = "settings.toml"
DEFAULT_START = dt.date(2024, 1, 1)


class SettingsError(UserError):
    """A setting has a value that cannot be used."""


@dataclass(frozen=True)
class Settings:
    """All settings, checked."""

    data: Path
    start: dt.date = DEFAULT_START
    end: dt.date | None = None
    time_zone: str = "UTC"
    strict: bool = False
    memory_limit: str | None = None
    webhook: str | None = None

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
    def alerts(self) -> Path:
        return self.data / "monitoring" / "alerts.jsonl"

    @property
    def calendar(self) -> Window:
        """The days there are; an open end reaches as far as dates do."""
        return Window(self.start, self.end or dt.date.max)


def load(data: Path | None = None) -> Settings:
    """The settings in force. Raises SettingsError, naming the place of a bad value."""
    folder = Path(data or os.environ.get("ECOM_DATA") or PROJECT / "data").resolve()
    file = folder / FILE
    given: dict[str, tuple[Any, str]] = {}
    if file.exists():
        try:
            given = {name: (value, f"{file}: {name}") for name, value in tomllib.loads(file.read_text()).items()}
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{file}: {error}") from error
    for variable, name in {
        "ECOM_START": "start",
        "ECOM_END": "end",
        "ECOM_TIMEZONE": "time_zone",
        "ECOM_STRICT": "strict",
        "ECOM_MEMORY_LIMIT": "memory_limit",
        "ECOM_WEBHOOK": "webhook",
    }.items():
        if os.environ.get(variable):
            given[name] = (os.environ[variable], variable)
    known = set(Settings.__dataclass_fields__) - {"data"}
    for name, (_, place) in given.items():
        if name not in known:
            raise SettingsError(f"{place} is no setting. There are: {', '.join(sorted(known))}.")
    return Settings(folder, **{name: _checked(name, value, place) for name, (value, place) in given.items()})


def stands(data: Path) -> bool:
    """Whether a data folder has its settings already."""
    return (data / FILE).exists()


def save(settings: Settings) -> None:
    """Write the calendar and time zone to the data folder's `settings.toml`."""
    lines = [f"start = {settings.start}", f'time_zone = "{settings.time_zone}"']
    if settings.end:
        lines.insert(1, f"end = {settings.end}")
    settings.data.mkdir(parents=True, exist_ok=True)
    (settings.data / FILE).write_text("\n".join(lines) + "\n")


def _checked(name: str, value: Any, place: str) -> Any:
    try:
        match name:
            case "start" | "end":
                return value if isinstance(value, dt.date) else dt.date.fromisoformat(value)
            case "strict":
                return (
                    value if isinstance(value, bool) else {"1": True, "true": True, "0": False, "false": False}[value]
                )
            case "time_zone":
                return ZoneInfo(value).key
            case _:
                return str(value)
    except (ValueError, KeyError, ZoneInfoNotFoundError) as error:
        wanted = {"start": "a day like 2024-01-31", "end": "a day like 2024-01-31", "strict": "true or false"}
        raise SettingsError(
            f"{place} is “{value}”; write {wanted.get(name, 'a time zone like Europe/Berlin')}."
        ) from error
