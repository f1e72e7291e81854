"""Each channel sends what its receiver takes, says how it failed, and shows no secret."""

import datetime as dt
import importlib.util
import logging
import socket
from pathlib import Path
from typing import Any

import pytest

from ecom_assets.alerting.channels import Channel, NotSent, Refused, channels_of
from ecom_assets.alerting.channels.alertmanager import Alertmanager
from ecom_assets.alerting.channels.mail import Mail
from ecom_assets.alerting.channels.others import MISSING, Others
from ecom_assets.alerting.channels.webhook import Webhook
from ecom_assets.alerting.configuration import AlertSettings, ChannelSettings, Delivery, Secret
from ecom_assets.alerting.delivery import REFRESH_AFTER, tick
from ecom_assets.alerting.events import Severity
from ecom_assets.alerting.incidents import State, Told, step
from ecom_assets.alerting.messages import Message, compose
from ecom_assets.alerting.store import open_store
from ecom_assets_tests.alerting import NOON, RULE, Events
from ecom_assets_tests.alerting.servers import CERTIFICATE, MailServer, Receiver, mail_server

SECRET = "T0/B0/swordfish"
KNOWN = AlertSettings(owner="ann@shop.example")


@pytest.fixture
def message(events: Events) -> Message:
    """A table fails on two days, and blocks another."""
    found = [events.fails("silver.orders", 2), events.fails("silver.orders", 3)]
    [plan] = step(State(), [*found, events.blocked("gold.fact_sales", "silver.orders")], NOON)
    return compose(plan, KNOWN, NOON)


def channel(kind: str, url: str) -> Channel:
    settings = ChannelSettings(kind, kind, url=Secret("settings", url))
    return {"alertmanager": Alertmanager, "apprise": Others}.get(kind, Webhook)(settings)


def over(message: Message) -> Message:
    return Message.from_json(message.to_json().replace('"firing"', '"resolved"'))


def test_a_message_says_what_when_who_where_and_what_to_do(message: Message) -> None:
    assert message.headline() == "silver.orders failed on 2024-03-02..2024-03-03"
    assert message.lines() == [
        f"4 x {RULE}",
        f"  2024-03-02/file.csv, record 3: {RULE}",
        f"  2024-03-03/file.csv, record 3: {RULE}",
        "It blocks 1 table.",
        "Owner: ann@shop.example",
        "Run: http://127.0.0.1:3000/runs/4bb4db42-6ac7",
        "Asset: http://127.0.0.1:3000/assets/silver/orders",
        "What to do: Look at the rows with ecom quarantine orders --rows 5, correct the file at its source and land it "
        "again under the same name; the days run again by themselves.",
    ]
    assert message.severity is Severity.CRITICAL


def test_the_table_furthest_upstream_is_named_first(events: Events) -> None:
    found = [
        events.fails("kpi.a", reads=("gold.b",)),
        events.fails("gold.b", rule="another", reads=("silver.c",)),
        events.fails("silver.c", rule="a third", reads=("bronze.c", "silver.c")),
    ]
    [plan] = step(State(), found, NOON)

    assert compose(plan, KNOWN, NOON).tables == ("silver.c", "gold.b", "kpi.a")


def test_slack_gets_a_text(http: Receiver, message: Message) -> None:
    channel("slack", f"{http.url}/services/{SECRET}").send(message)
    channel("slack", f"{http.url}/services/{SECRET}").send(over(message))

    [(path, id, body), (_, _, end)] = http.taken
    assert (path, id) == (f"/services/{SECRET}", message.id)
    assert body["text"].startswith(":red_circle: *silver.orders failed on 2024-03-02..2024-03-03*\n4 x ")
    assert end["text"].startswith(":large_green_circle: *Resolved: silver.orders failed on 2024-03-02..2024-03-03*\n")
    assert "What to do" not in end["text"]


def test_slack_gets_no_markup_of_the_data(http: Receiver, events: Events) -> None:
    [plan] = step(State(), [events.fails("silver.orders", rule="<!channel> & more")], NOON)
    channel("slack", http.url).send(compose(plan, KNOWN, NOON))

    assert "&lt;!channel&gt; &amp; more" in http.bodies[0]["text"]


def test_teams_gets_a_card_with_buttons(http: Receiver, message: Message) -> None:
    channel("teams", http.url).send(message)

    [attachment] = http.bodies[0]["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert card["body"][0]["text"] == message.headline()
    assert [button["url"] for button in card["actions"]] == [message.run, message.asset]


def test_others_get_all_fields_as_json(http: Receiver, message: Message) -> None:
    channel("json", http.url).send(message)

    [body] = http.bodies
    assert body["rows"] == {RULE: 4}
    assert body["tables"] == ["silver.orders"]
    assert body["blocks"] == 1


def test_alertmanager_gets_an_alert_and_its_end_with_equal_labels(http: Receiver, message: Message) -> None:
    alertmanager = channel("alertmanager", f"{http.url}/")
    alertmanager.send(message)
    alertmanager.send(over(message))

    assert [path for path, _, _ in http.taken] == ["/api/v2/alerts"] * 2
    [[firing], [resolved]] = http.bodies
    labels = {"alertname": "ecom_assets", "incident": message.incident, "severity": "critical"}
    assert firing["labels"] == resolved["labels"] == labels
    assert dt.datetime.fromisoformat(firing["endsAt"]) > dt.datetime.now(dt.UTC)
    assert dt.datetime.fromisoformat(resolved["endsAt"]) == NOON
    assert firing["annotations"]["summary"] == message.headline()


def test_alertmanager_is_told_again_of_what_still_holds_and_of_what_has_just_ended(
    tmp_path: Path, http: Receiver, events: Events
) -> None:
    settings = ChannelSettings("alertmanager", "alertmanager", url=Secret("settings", http.url))
    delivery = Delivery(tmp_path / "alerts.sqlite", tmp_path / "alerts.jsonl", AlertSettings(channels=(settings,)))
    failed, stopped = events.fails("silver.orders"), events.stops()
    found = [(failed, stopped), (), (events.passes(failed),), ()]
    for n, happened in enumerate(found):
        with open_store(delivery.store) as store:
            store.add(happened, NOON)
        tick(delivery, now=lambda n=n: NOON + n * REFRESH_AFTER)

    posted = [sorted(alert["annotations"]["summary"].partition(" ")[0] for alert in body) for body in http.bodies]
    assert posted[-1] == ["Resolved:", "the"]
    assert ["silver.orders", "the"] in posted


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Refused), (404, Refused), (408, NotSent), (429, NotSent), (500, NotSent), (503, NotSent)],
)
def test_an_answer_says_whether_the_message_is_to_be_sent_again(
    http: Receiver, message: Message, status: int, error: type[OSError]
) -> None:
    http.status = status
    with pytest.raises(error, match=f"it answers with HTTP status {status}"):
        channel("slack", http.url).send(message)


def test_where_nobody_listens_nothing_has_arrived(message: Message) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NotSent, match="Connection refused"):
        channel("slack", f"http://127.0.0.1:{port}/{SECRET}").send(message)


# -- secrets


@pytest.mark.parametrize("kind", ["slack", "alertmanager"])
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:port/", "ftp://127.0.0.1/", "nowhere/", "http://[/", "http://no.invalid/"]
)
def test_errors_and_representations_show_no_address(
    tmp_path: Path, message: Message, caplog: pytest.LogCaptureFixture, kind: str, url: str, events: Events
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = ChannelSettings(kind, kind, url=Secret("settings", url + SECRET))
    delivery = Delivery(tmp_path / "alerts.sqlite", tmp_path / "alerts.jsonl", AlertSettings(channels=(settings,)))
    with open_store(delivery.store) as store:
        store.add([events.fails("silver.orders")], NOON)

    found = tick(delivery, now=lambda: NOON)

    assert found.problems
    shown = [repr(found), repr(delivery), repr(settings), repr(channels_of(delivery)), caplog.text]
    shown += [file.read_bytes().decode("latin-1") for file in tmp_path.iterdir()]
    assert not [text for text in shown if "swordfish" in text]


def test_a_secret_can_come_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("from the file\n")
    monkeypatch.setenv("ECOM_TEST_SECRET", "from the environment")

    assert Secret.parse({"env": "ECOM_TEST_SECRET"}).reveal() == "from the environment"
    assert Secret.parse({"file": str(tmp_path / "secret")}).reveal() == "from the file"


@pytest.mark.parametrize("secret", [{"env": "ECOM_NOT_SET"}, {"file": "/no/such/file"}])
def test_a_secret_that_is_missing_is_named_and_the_message_waits(message: Message, secret: dict[str, str]) -> None:
    settings = ChannelSettings("slack", "slack", url=Secret.parse(secret))
    with pytest.raises(NotSent, match=next(iter(secret.values()))):
        Webhook(settings).send(message)


# -- mail


def mail_settings(server: MailServer, tls: str, **more: Any) -> ChannelSettings:
    known = {"host": "127.0.0.1", "port": server.port, "ca_file": str(CERTIFICATE), "tls": tls}
    known |= {"user": server.user, "password": Secret("settings", server.password)}
    known |= {"sender": "Shop <alerts@shop.example>", "to": ("ann@x.example",)}
    return ChannelSettings("email", "email", **(known | more))


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_mail_is_sent_over_tls_with_a_login_and_belongs_to_its_incident(message: Message, tls: str) -> None:
    with mail_server(is_tls=tls == "tls") as server:
        mail = Mail(mail_settings(server, tls))
        mail.send(message)
        mail.send(over(message))

    told, end = server.mails
    assert told["Subject"] == "[critical] silver.orders failed on 2024-03-02..2024-03-03"
    assert end["Subject"] == "[resolved] silver.orders failed on 2024-03-02..2024-03-03"
    assert told["Message-ID"] == f"<{message.incident}.1@shop.example>"
    assert told["References"] == end["References"]
    assert told["To"] == "ann@x.example"
    assert f"4 x {RULE}" in told.get_content()


def test_a_server_that_cannot_be_trusted_gets_no_mail(message: Message) -> None:
    with mail_server() as server, pytest.raises(NotSent, match="no secure login"):
        Mail(mail_settings(server, "starttls", ca_file="")).send(message)

    assert server.mails == []


def test_a_wrong_password_is_said_and_not_shown(message: Message) -> None:
    with mail_server() as server, pytest.raises(NotSent, match="SMTP status 535") as failed:
        Mail(mail_settings(server, "starttls", password=Secret("settings", "opensesame"))).send(message)

    assert "opensesame" not in str(failed.value)


@pytest.mark.parametrize(("status", "error"), [(550, Refused), (451, NotSent)])
def test_a_refused_recipient_is_said(message: Message, status: int, error: type[OSError]) -> None:
    with mail_server() as server:
        server.refuses = status
        with pytest.raises(error, match=f"SMTP status {status}"):
            Mail(mail_settings(server, "starttls")).send(message)


def test_where_no_mail_server_is_nothing_has_arrived(message: Message) -> None:
    with mail_server() as server:
        known = mail_settings(server, "starttls")
    with pytest.raises(NotSent, match="no connection"):
        Mail(known).send(message)


# -- apprise


def test_without_apprise_it_is_said_how_to_get_it(message: Message) -> None:
    if importlib.util.find_spec("apprise"):
        pytest.skip("apprise is installed")
    with pytest.raises(NotSent, match="not installed") as failed:
        channel("apprise", "json://127.0.0.1").send(message)
    assert str(failed.value) == MISSING


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # apprise's own
def test_apprise_sends_to_the_service_of_an_address(http: Receiver, message: Message) -> None:
    pytest.importorskip("apprise", reason="the extra alerts is not installed")
    channel("apprise", http.url.replace("http", "json", 1)).send(message)

    assert http.bodies[0]["title"] == message.headline()


def test_a_reminder_counts(events: Events) -> None:
    state = State()
    step(state, [events.fails("silver.orders"), events.fails("kpi.daily_sales", rule="another")], NOON)
    [plan] = step(state, [], NOON + dt.timedelta(hours=4))

    assert plan.kind is Told.REMINDER
    text = compose(plan, KNOWN, NOON).headline()
    assert text == "Still failing: 2 incidents with 2 alerts since 2024-04-01 12:00 UTC, silver.orders first"
