"""Messages reach their channels, whatever is killed or down meanwhile: at least once, under one id, and over once."""

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from ecom_assets.alerting.channels import channels_of
from ecom_assets.alerting.configuration import Delivery
from ecom_assets.alerting.delivery import SILENT_AFTER, Delivered, health, tick
from ecom_assets.alerting.events import Event
from ecom_assets.alerting.incidents import MAX_MESSAGES, UPDATE_AFTER
from ecom_assets.alerting.store import HELD, open_store
from ecom_assets.days import Window
from ecom_assets.settings import PROJECT
from ecom_assets_tests.alerting import NOON, Events, on
from ecom_assets_tests.alerting.servers import Receiver

A_MINUTE = dt.timedelta(minutes=1)
KILLED = 9


def happens(delivery: Delivery, *found: Event, held: bool = False, at: dt.datetime = NOON) -> None:
    with open_store(delivery.store) as store:
        store.add(found, at, held=held)


def tick_at(delivery: Delivery, at: dt.datetime = NOON, **more: Any) -> Delivered:
    return tick(delivery, now=lambda: at, **more)


def lines(delivery: Delivery) -> list[dict[str, Any]]:
    if not delivery.file.exists():
        return []
    return [json.loads(line) for line in delivery.file.read_text("utf-8").splitlines()]


def kinds(http: Receiver) -> list[str]:
    return [body["kind"] for body in http.bodies]


def test_a_message_reaches_file_and_receiver_with_one_id(delivery: Delivery, http: Receiver, events: Events) -> None:
    happens(delivery, events.fails("silver.orders"))

    assert tick_at(delivery).sent == 2
    assert tick_at(delivery).sent == 0

    [line] = lines(delivery)
    assert http.bodies == [line]
    assert http.ids == [line["id"]]


def test_an_event_that_is_added_again_is_the_same(delivery: Delivery, http: Receiver, events: Events) -> None:
    failed = events.fails("silver.orders")
    for _ in range(3):
        happens(delivery, failed)
        tick_at(delivery)

    assert kinds(http) == ["firing"]


def test_what_a_run_finds_waits_for_its_end_so_that_one_message_tells_it(
    delivery: Delivery, http: Receiver, events: Events
) -> None:
    happens(delivery, events.fails("silver.orders"), held=True)
    tick_at(delivery)
    assert http.taken == []

    happens(delivery, events.blocked("gold.fact_sales", "silver.orders"), held=True)
    with open_store(delivery.store) as store:
        store.release()
    tick_at(delivery)

    assert [body["blocks"] for body in http.bodies] == [1]


def test_what_a_long_or_killed_run_found_does_not_wait_for_ever(
    delivery: Delivery, http: Receiver, events: Events
) -> None:
    happens(delivery, events.fails("silver.orders"), held=True)

    tick_at(delivery, NOON + HELD)

    assert kinds(http) == ["firing"]


def test_while_a_receiver_is_down_messages_wait_and_the_file_has_them_once(
    delivery: Delivery, http: Receiver, events: Events
) -> None:
    http.status = 503
    happens(delivery, events.fails("silver.orders"))
    assert tick_at(delivery).problems == (
        "json cannot be reached and will be tried again: it answers with HTTP status 503.",
    )
    assert tick_at(delivery).problems == ()

    http.status = 200
    tick_at(delivery, NOON + A_MINUTE)
    tick_at(delivery, NOON + A_MINUTE)

    assert kinds(http) == ["firing"]
    assert len(lines(delivery)) == 1


def test_what_is_over_while_a_receiver_is_down_is_never_sent_there(
    delivery: Delivery, http: Receiver, events: Events
) -> None:
    http.status = 503
    failed = events.fails("silver.orders")
    happens(delivery, failed)
    tick_at(delivery)

    http.status = 200
    happens(delivery, events.passes(failed))
    tick_at(delivery, NOON + A_MINUTE)

    assert http.taken == []
    assert [line["kind"] for line in lines(delivery)] == ["firing", "resolved"]


def test_a_recovery_is_told_once_under_the_same_incident(delivery: Delivery, http: Receiver, events: Events) -> None:
    failed = events.fails("silver.orders")
    happens(delivery, failed)
    tick_at(delivery)
    happens(delivery, events.passes(failed))
    for _ in range(3):
        tick_at(delivery, NOON + A_MINUTE)

    assert kinds(http) == ["firing", "resolved"]
    assert len({body["incident"] for body in http.bodies}) == 1


def test_a_refused_message_keeps_no_other_waiting(delivery: Delivery, http: Receiver, events: Events) -> None:
    http.answers = [400]
    happens(delivery, events.fails("silver.orders"), events.stops())
    tick_at(delivery)

    texts = [body["what"] for body in http.bodies]
    assert "the full message was refused: it answers with HTTP status 400" in texts[0]
    assert len(texts) == 2


def test_a_channel_that_is_down_holds_up_no_other(delivery: Delivery, http: Receiver, events: Events) -> None:
    delivery.file.parent.mkdir(parents=True)
    delivery.file.mkdir()
    happens(delivery, events.fails("silver.orders"))

    assert "file cannot be reached" in " ".join(tick_at(delivery).problems)
    assert kinds(http) == ["firing"]

    delivery.file.rmdir()
    tick_at(delivery, NOON + A_MINUTE)
    assert len(lines(delivery)) == len(http.taken) == 1


def test_half_a_line_of_a_killed_process_is_passed_over(delivery: Delivery, events: Events) -> None:
    delivery.file.parent.mkdir(parents=True)
    delivery.file.write_text('{"id": "2", "at"')
    happens(delivery, events.fails("silver.orders"))
    tick_at(delivery)

    torn, line = delivery.file.read_text().splitlines()
    assert torn == '{"id": "2", "at"'
    assert json.loads(line)["kind"] == "firing"


def test_ten_thousand_failures_are_at_most_five_messages(delivery: Delivery, http: Receiver, events: Events) -> None:
    happens(
        delivery,
        *(events.fails(f"gold.t{n}", day, f"rule {n}") for n in range(100) for day in range(1, 101)),
    )
    for n in range(5):
        tick_at(delivery, NOON + n * A_MINUTE)

    assert 0 < len(http.taken) <= MAX_MESSAGES
    assert max(len(json.dumps(body)) for body in http.bodies) < 10_000


def test_one_process_delivers_at_a_time(delivery: Delivery, http: Receiver, events: Events) -> None:
    happens(delivery, events.fails("silver.orders"))
    with FileLock(delivery.store.with_suffix(".lock")):
        assert tick_at(delivery) == Delivered(is_elsewhere=True)

    tick_at(delivery)
    assert kinds(http) == ["firing"]


def test_a_tick_that_has_no_more_time_leaves_the_rest_to_the_next(
    delivery: Delivery, http: Receiver, events: Events
) -> None:
    happens(delivery, events.fails("silver.orders"))
    assert tick_at(delivery, seconds=-1).sent == 0

    tick_at(delivery)
    assert kinds(http) == ["firing"]


def test_a_silence_can_be_made_and_ended_while_others_write(delivery: Delivery, http: Receiver, events: Events) -> None:
    with open_store(delivery.store) as store:
        number = store.silence("silver.*", Window(on(1), on(9)), NOON + 60 * A_MINUTE, "known", NOON)
    happens(delivery, events.fails("silver.orders"))
    tick_at(delivery)
    assert http.taken == []

    with open_store(delivery.store) as store:
        assert [silence.reason for silence in store.silences(NOON)] == ["known"]
        assert store.unsilence(number)
        assert not store.unsilence(number)
    tick_at(delivery)
    assert kinds(http) == ["firing"]


def test_what_is_long_over_is_forgotten_and_events_are_known_by_number(delivery: Delivery, events: Events) -> None:
    failed = events.fails("silver.orders")
    with open_store(delivery.store) as store:
        store.add([failed, events.passes(failed)], NOON, "box", 1)
    tick_at(delivery)
    happens(delivery, events.stops(), at=NOON)
    tick_at(delivery, NOON + dt.timedelta(days=100))

    with open_store(delivery.store) as store:
        assert store.last_number("box") == 2
        [(count,)] = store.con.execute("select count(*) from events where outbox = 'box'").fetchall()
        assert count == 1


# -- kills

TICK = """
import datetime as dt, os, sys
from ecom_assets.alerting.channels import channels_of
from ecom_assets.alerting.configuration import AlertSettings, ChannelSettings, Delivery, Secret
from ecom_assets.alerting.delivery import tick
from pathlib import Path
store, url, step, at = Path(sys.argv[1]), sys.argv[2], sys.argv[3], dt.datetime.fromisoformat(sys.argv[4])
channel = ChannelSettings("json", "json", url=Secret("settings", url))
delivery = Delivery(store, store, AlertSettings(channels=(channel,)))
only = channels_of(delivery)[1:]
tick(delivery, channels=only, now=lambda: at, on_step=lambda name: os._exit(9) if name == step else None)
"""


def killed_at(step: str, delivery: Delivery, http: Receiver, at: dt.datetime) -> None:
    """A process ticks, for the receiver alone, and is gone in the middle of it, without a word."""
    command = [sys.executable, "-c", TICK, str(delivery.store), f"{http.url}/hook", step, at.isoformat()]
    assert subprocess.run(command, cwd=PROJECT, check=False).returncode == KILLED


@pytest.mark.slow
@pytest.mark.parametrize(("step", "arrivals"), [("planned", 1), ("trying", 1), ("sent", 3), ("marked", 1)])
def test_killed_twice_at_any_step_an_alert_and_its_end_arrive_under_one_id(
    delivery: Delivery, http: Receiver, events: Events, step: str, arrivals: int
) -> None:
    """Only a kill between the receiver's answer and its mark has a message arrive once more."""
    failed, now = events.fails("silver.orders"), NOON
    for event in (failed, events.passes(failed)):
        happens(delivery, event)
        for _ in range(1 if step == "marked" else 2):
            now += A_MINUTE
            killed_at(step, delivery, http, now)
        for _ in range(2):
            now += A_MINUTE
            tick_at(delivery, now, channels=channels_of(delivery)[1:])

    told, over = ([body["id"] for body in http.bodies if body["kind"] == kind] for kind in ("firing", "resolved"))
    assert len(told) == len(over) == arrivals
    assert len(set(told)) == len(set(over)) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("step", "arrived"), [("trying", []), ("sent", ["firing"])])
def test_what_may_have_arrived_before_a_kill_is_told_to_be_over(
    delivery: Delivery, http: Receiver, events: Events, step: str, arrived: list[str]
) -> None:
    failed = events.fails("silver.orders")
    happens(delivery, failed)
    killed_at(step, delivery, http, NOON)
    happens(delivery, events.passes(failed))
    for n in range(3):
        tick_at(delivery, NOON + n * A_MINUTE, channels=channels_of(delivery)[1:])

    assert kinds(http) == [*arrived, "resolved"]


@pytest.mark.slow
def test_what_may_have_arrived_still_counts_when_more_of_it_is_to_be_told(
    delivery: Delivery, http: Receiver, events: Events
) -> None:
    """Killed, then another message takes the place of the first one while the receiver is down, then all is well."""
    first, second = events.fails("silver.orders", 2), events.fails("silver.orders", 3)
    only = channels_of(delivery)[1:]
    happens(delivery, first)
    killed_at("sent", delivery, http, NOON)
    http.status = 503
    happens(delivery, second)
    tick_at(delivery, NOON + UPDATE_AFTER, channels=only)
    http.status = 200
    happens(delivery, events.passes(first), events.passes(second))
    tick_at(delivery, NOON + UPDATE_AFTER, channels=only)

    assert kinds(http) == ["firing", "resolved"]


# -- the dead man's switch


def test_alerting_that_does_not_tick_is_critical(delivery: Delivery, events: Events) -> None:
    assert health(delivery.store, NOON).problems == ("Alerting has never run: start Dagster with make ui.",)

    tick_at(delivery)
    assert health(delivery.store, NOON + SILENT_AFTER - A_MINUTE).problems == ()

    [problem] = health(delivery.store, NOON + SILENT_AFTER).problems
    assert problem.startswith("Alerting has not run since 2024-04-01 12:00 UTC")


def test_a_channel_that_takes_no_message_is_critical(delivery: Delivery, http: Receiver, events: Events) -> None:
    http.status = 503
    happens(delivery, events.fails("silver.orders"))
    tick_at(delivery)
    tick_at(delivery, NOON + SILENT_AFTER)

    [problem] = health(delivery.store, NOON + SILENT_AFTER).problems
    assert problem == (
        "The channel json has taken no message since 2024-04-01T12:00:00+00:00: it answers with HTTP status 503."
    )


def test_a_store_that_cannot_be_read_is_critical(tmp_path: Path) -> None:
    (tmp_path / "alerts.sqlite").write_text("no database at all, but a text of some length" * 100)

    [problem] = health(tmp_path / "alerts.sqlite", NOON).problems
    assert "cannot be read" in problem


def test_a_clock_that_is_set_back_delays_no_message(delivery: Delivery, http: Receiver, events: Events) -> None:
    tomorrow = NOON + dt.timedelta(days=1)
    http.status = 503
    happens(delivery, events.fails("silver.orders"), at=tomorrow)
    tick_at(delivery, tomorrow)

    http.status = 200
    assert health(delivery.store, NOON).problems[0].startswith("Alerting has not run since")
    assert tick_at(delivery).sent == 1
    assert health(delivery.store, NOON).problems == ()
