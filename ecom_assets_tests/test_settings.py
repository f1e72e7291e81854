"""Settings: from the file, overruled by the environment, and refused in one sentence."""

import datetime as dt
from pathlib import Path

import pytest

from ecom_assets import settings
from ecom_assets.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def no_settings_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATA", "START", "END", "TIMEZONE", "STRICT", "MEMORY_LIMIT", "WEBHOOK"):
        monkeypatch.delenv(f"ECOM_{name}", raising=False)


def write(data: Path, text: str) -> None:
    (data / settings.FILE).write_text(text)


def test_without_a_file_all_have_their_defaults(tmp_path: Path) -> None:
    assert settings.load(tmp_path) == Settings(tmp_path)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    known = Settings(tmp_path / "new", dt.date(2010, 12, 1), dt.date(2011, 12, 9), "Europe/London")

    settings.save(known)

    assert settings.is_saved(known.data)
    assert settings.load(known.data) == known


def test_the_environment_overrules_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 'start = 2024-01-01\nstrict = false\ntime_zone = "Europe/Berlin"\n')
    monkeypatch.setenv("ECOM_DATA", str(tmp_path))
    monkeypatch.setenv("ECOM_START", "2024-02-01")
    monkeypatch.setenv("ECOM_STRICT", "true")
    monkeypatch.setenv("ECOM_MEMORY_LIMIT", "2GB")

    known = settings.load()

    assert (known.data, known.start, known.strict) == (tmp_path, dt.date(2024, 2, 1), True)
    assert (known.time_zone, known.memory_limit) == ("Europe/Berlin", "2GB")


def test_a_data_folder_is_found_from_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ECOM_DATA", "mine")

    assert settings.load().data == tmp_path / "mine"


def test_a_calendar_without_end_goes_on(tmp_path: Path) -> None:
    assert dt.date(2999, 1, 1) in settings.load(tmp_path).calendar


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("start = 2024-13-01", "cannot be read: "),
        ("start", "cannot be read: "),
        ('start = "soon"', "start is “soon”; write a day like 2024-01-31."),
        ("start = 20240101", "start is “20240101”; write a day like 2024-01-31."),
        ("start = 2024-01-01T00:00:00", "start is “2024-01-01 00:00:00”; write a day like 2024-01-31."),
        ("start = 2024-02-01\nend = 2024-01-31", "end 2024-01-31 is before start 2024-02-01."),
        ('time_zone = "Mars/Olympus"', "time_zone is “Mars/Olympus”; write a time zone like Europe/Berlin."),
        ('time_zone = "Europe"', "time_zone is “Europe”; write a time zone like Europe/Berlin."),
        ("strict = 2", "strict is “2”; write true or false."),
        ('strict = "perhaps"', "strict is “perhaps”; write true or false."),
        ('memory_limit = "much"', "memory_limit is “much”; write a size like 2GB."),
        ("memory_limit = 2", "memory_limit is “2”; write a size like 2GB."),
        ('webhook = "hooks.slack.com/x"', "webhook is not valid; write an address like https://"),
        (
            'postgres = "mysql://host/shop"',
            "postgres is not valid; write an address like postgres://USER@HOST/DATABASE",
        ),
        ('webhook = "https://hooks.slack.com/a b"', "webhook is not valid; write an address like"),
        (
            'color = "red"',
            "color is an unknown setting. Known settings: alerting, currency, end, extract, kafka, memory_limit, "
            "postgres, start, strict, time_zone, webhook.",
        ),
        ('kafka = { group = "x" }', 'kafka is not valid; write addresses such as "broker:9092"'),
    ],
)
def test_a_mistake_in_the_file_is_told_in_a_line(tmp_path: Path, text: str, complaint: str) -> None:
    write(tmp_path, text)

    with pytest.raises(SettingsError) as raised:
        settings.load(tmp_path)

    assert str(raised.value).startswith(str(tmp_path / settings.FILE))
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_mistake_in_the_environment_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECOM_TIMEZONE", "nowhere")

    with pytest.raises(SettingsError, match=r"^ECOM_TIMEZONE is “nowhere”; write a time zone like Europe/Berlin\.$"):
        settings.load(tmp_path)


def test_a_secret_may_be_in_a_file_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("postgres://platform:swordfish@db/shop\n")
    monkeypatch.setenv("ECOM_POSTGRES_FILE", str(tmp_path / "secret"))

    known = settings.load(tmp_path)

    assert known.postgres is not None
    assert known.postgres.reveal() == "postgres://platform:swordfish@db/shop"
    assert "swordfish" not in repr(known)


def test_the_running_day_follows_the_last_that_is_over_unless_the_calendar_has_ended(tmp_path: Path) -> None:
    over = settings.yesterday("UTC")

    assert Settings(tmp_path).running_day() == over + dt.timedelta(days=1)
    assert Settings(tmp_path, end=over).running_day() is None
