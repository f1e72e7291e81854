"""What can be set about alerts, and what is said of what cannot."""

from pathlib import Path

import pytest

from ecom_assets import settings
from ecom_assets.alerting.configuration import AlertSettings, ChannelSettings, Secret
from ecom_assets.alerting.events import Severity
from ecom_assets.settings import SettingsError

ALL = """
[alerting]
ui = "https://dagster.shop.example/"
owner = "data@shop.example"
owners = { "silver.*" = "ann@shop.example" }

[[alerting.channels]]
kind = "slack"
least = "error"
url = { env = "SLACK_URL" }

[[alerting.channels]]
kind = "email"
name = "the night shift"
host = "mail.shop.example"
user = "alerts"
password = { file = "/run/secrets/mail" }
sender = "alerts@shop.example"
to = ["ann@shop.example"]
"""


def load(folder: Path, text: str) -> settings.Settings:
    (folder / settings.FILE).write_text(text)
    return settings.load(folder)


def test_all_that_can_be_set(tmp_path: Path) -> None:
    known = load(tmp_path, ALL).alerting

    assert known.ui == "https://dagster.shop.example"
    assert known.owner_of("silver.orders") == "ann@shop.example"
    assert known.owner_of("pipeline") == "data@shop.example"
    assert known.channels == (
        ChannelSettings("slack", "slack", Severity.ERROR, Secret("env", "SLACK_URL")),
        ChannelSettings(
            "email",
            "the night shift",
            host="mail.shop.example",
            port=587,
            user="alerts",
            password=Secret("file", "/run/secrets/mail"),
            sender="alerts@shop.example",
            to=("ann@shop.example",),
        ),
    )


def test_without_settings_there_is_the_file_alone(tmp_path: Path) -> None:
    assert settings.load(tmp_path).alerting == AlertSettings()


CHANNEL = "[[alerting.channels]]\n"
SLACK = f'{CHANNEL}kind = "slack"\nurl = "https://x"'
MAIL = f'{CHANNEL}kind = "email"\nhost = "x"\nsender = "a@b"'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('alerting = "slack"', "write a table, [alerting]"),
        ("alerting = { colour = 1 }", "[alerting] has 'colour'"),
        ('alerting = { ui = "dagster" }', "write ui as an address like http://127.0.0.1:3000"),
        ("alerting = { owner = 1 }", "write owner as a text on one line"),
        ("alerting = { owners = 1 }", "write owners as a table like"),
        ("alerting = { channels = 1 }", "write channels as tables, [[alerting.channels]]"),
        (f'{CHANNEL}kind = "pigeon"', "write kind of each channel as one of slack, teams, json, email"),
        (f'{CHANNEL}kind = "slack"', "write url as a text, { env ="),
        (f'{CHANNEL}kind = "slack"\nurl = {{ vault = "x" }}', "write url as a text, { env ="),
        (
            f'{SLACK}\nleast = "huge"',
            "write least as one of critical, error, warning",
        ),
        (f'{SLACK}\nhost = "y"', "a channel of slack has 'host'"),
        (f'{SLACK}\nname = "file"', "each channel with a name of its own"),
        (MAIL, "write to as addresses"),
        (
            f'{MAIL}\ntls = "none"',
            "without, mail goes to this machine only",
        ),
        (f'{MAIL}\nto = ["c@d"]\nuser = "u"', "write password as a text"),
        (f'{MAIL}\nto = ["c@d"]\nport = 0', "write port as a number"),
    ],
)
def test_what_cannot_be_set_is_refused_with_what_can(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, text)

    assert complaint in str(refused.value)
    assert str(refused.value).startswith(f"{tmp_path / settings.FILE}: alerting is not valid; write ")


def test_what_is_said_of_a_webhook_does_not_show_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, 'webhook = "hooks.slack.com/swordfish"')
    assert "swordfish" not in str(refused.value)

    assert "swordfish" not in repr(load(tmp_path, 'webhook = "https://hooks.slack.com/swordfish"'))
