"""Rules warn once of what they see in the stream, and again after it was over."""

import datetime as dt
import json
import threading
from decimal import Decimal
from pathlib import Path

import pytest

from ecom_assets.alerting import delivery
from ecom_assets.alerting.configuration import AlertSettings, Delivery, Secret
from ecom_assets.landing.streamed import Stream
from ecom_assets.streaming import telling
from ecom_assets.streaming.feeds import rule_facts
from ecom_assets.streaming.landing import EACH_MINUTE
from ecom_assets.streaming.records import FeedFacts
from ecom_assets.streaming.rules import (
    CheckoutSilent,
    Finding,
    LikelyFraud,
    PaymentFailures,
    Seen,
    StockBelowZero,
    findings,
    rules,
)
from ecom_assets.streaming.watching import watching
from ecom_assets_tests.alerting.servers import receiver
from ecom_assets_tests.streaming.consuming import START, job_of

NOON = 43_200_000
FACTS = rule_facts(Path("nothing is published"))


def order(number: str, at: int = NOON, customer: str | None = "c1", total: str = "10") -> Seen:
    return Seen("orders", at, {"order_id": number, "customer_id": customer, "total": total, "status": "paid"})


def payment(number: int, status: str = "failed", order: str = "1", at: int = NOON) -> Seen:
    return Seen("payments", at, {"payment_id": str(number), "order_id": order, "status": status})


def movement(number: int, quantity: int, product: str = "P1", kind: str = "sale") -> Seen:
    values = {"movement_id": str(number), "product_id": product, "kind": kind, "quantity": str(quantity)}
    return Seen("inventory_movements", NOON, values)


def event(name: str, at: int) -> Seen:
    return Seen("events", at, {"event_id": str(at), "event": name})


def warned(rule, *seen: Seen) -> list[list[str]]:
    """What a rule warns of at each record."""
    return [[found.about for found in rule.see(one)] for one in seen]


def fraud() -> LikelyFraud:
    return LikelyFraud(FACTS.points, FACTS.high_amount, FACTS.night_hours)


def test_an_order_is_told_once_when_it_has_enough_points():
    seen = [order("1"), order("2"), order("3"), payment(1, order="3"), payment(1, order="3"), payment(2, order="3")]

    assert warned(fraud(), *seen, order("3")) == [[], [], [], [], [], ["3"], []]


def test_orders_far_apart_are_not_in_a_row():
    hour = 3_600_000
    seen = [order(str(n), at=NOON + n * hour) for n in range(4)]

    assert warned(fraud(), *seen, payment(1, order="3"), payment(2, order="3")) == [[]] * 6


def test_a_guest_with_a_high_amount_after_failed_payments_at_night():
    seen = [payment(1), payment(2), order("1", at=3_600_000, customer=None, total="500")]

    assert warned(fraud(), *seen) == [[], [], ["1"]]
    assert warned(fraud(), order("9", customer=None)) == [[]]


def test_stock_below_zero_is_told_until_it_is_not():
    rule = StockBelowZero({"P1": Decimal(2)})
    seen = [movement(1, -2), movement(2, -1), movement(2, -1), movement(3, -1), movement(4, 5), movement(5, -9)]

    assert warned(rule, *seen) == [[], ["P1 2"], [], [], [], ["P1 5"]]


def test_stock_that_nobody_knows_is_not_judged_and_a_count_moves_none():
    seen = [
        movement(1, -1, product="P2"),
        movement(2, 3, product="P2", kind="opening"),
        movement(3, -9, product="P2", kind="count"),
        movement(4, -3, product="P2"),
    ]

    assert warned(StockBelowZero(), *seen) == [[]] * 4


def test_a_burst_of_failed_payments_is_told_once_until_it_is_over():
    seconds = [*range(5), 200, *range(201, 206)]
    seen = [payment(n, at=NOON + 1_000 * second) for n, second in enumerate(seconds)]

    found = warned(PaymentFailures(count=4), payment(99, status="captured"), *seen)

    assert [place for place, told in enumerate(found) if told] == [4, 9]


def test_a_checkout_without_orders_is_told_once_until_there_is_one():
    started = [event("Checkout Started", NOON + 60_000 * n) for n in range(10)]
    rule = CheckoutSilent(count=5, within=600_000)

    assert [n for n, told in enumerate(warned(rule, *started)) if told] == [4]
    assert warned(rule, event("Order Completed", NOON), *started[:4]) == [[]] * 5
    assert warned(rule, started[4]) == [[str(started[4].at)]]


def test_checkouts_spread_over_a_long_time_are_no_silence():
    started = [event("Checkout Started", NOON + 600_000 * n) for n in range(40)]

    assert warned(CheckoutSilent(count=5, within=600_000), *started) == [[]] * 40


def test_rules_remember_what_had_landed(tmp_path):
    feed = FeedFacts("payments", ("payment_id",), "paid_at", "updated_at")
    job = job_of(tmp_path, {"shop.payments": feed}, EACH_MINUTE)
    lines = [
        {"_offset": n, **payment(n).values, "updated_at": f"1970-01-01T12:00:{n:02}Z"}
        for n in range(rules(FACTS)[2].count - 1)
    ]
    name = Stream("shop.payments", "0", 0).file_name(0, len(lines) - 1)
    job.zone.write("payments", START, name, "".join(f"{json.dumps(line)}\n" for line in lines).encode())
    found: list[Finding] = []
    watch = watching(job, FACTS, lambda finding, topic: found.append(finding))

    assert not found
    watch("shop.payments", payment(500, order="5", at=NOON + 30_000))
    assert [each.rule for each in found] == ["payments"]


def test_a_rule_that_fails_stops_nothing(tmp_path, caplog):
    watch = watching(job_of(tmp_path, {}, EACH_MINUTE), FACTS, lambda *found: None)

    watch("shop.orders", Seen("orders", 10**18, {"order_id": "1"}))

    assert "cannot judge" in caplog.text


@pytest.mark.parametrize("rule", rules(FACTS))
def test_rules_take_any_values(rule):
    for feed in ("orders", "payments", "inventory_movements", "events"):
        for value in (None, [], {}, "x", -1, "NaN"):
            values = dict.fromkeys(("order_id", "customer_id", "total", "quantity", "payment_id", "kind"), value)
            assert list(findings([rule], Seen(feed, NOON, values))) == []


def test_a_warning_reaches_the_receiver_once(tmp_path):
    with receiver() as taking:
        webhook = Secret.parse(taking.url)
        known = Delivery(tmp_path / "alerts.sqlite", tmp_path / "alerts.jsonl", AlertSettings(), webhook)
        for _ in range(2):  # as after a kill, when the record is read again
            with telling.Telling(known) as sending:
                sending.warn(Finding("fraud", "7", "Order 7 may be a fraud"), "shop.orders")
                sending.warn(Finding("stock", "P1 9", "Stock of P1 is below zero"), "shop.inventory_movements")
        sending = telling.Telling(known)
        for number in "78":  # both are sent at once
            sending.warn(Finding("fraud", number, f"Order {number} may be a fraud"), "shop.orders")
        with sending:
            pass
        assert taking.ids == ["stream:fraud:7", "stream:stock:P1 9", "stream:fraud:8"]
        assert "Order 7 may be a fraud (shop.orders)" in taking.taken[0][2]["text"]


def test_a_warning_that_the_receiver_did_not_take_is_sent_again_without_anything_new(tmp_path, monkeypatch):
    for module in (delivery, telling):
        monkeypatch.setattr(module, "FIRST_RETRY", dt.timedelta(milliseconds=5))
    tries = threading.Semaphore(0)
    with receiver() as taking:
        taking.answers, taking.on_request = [503, 503], tries.release
        known = Delivery(tmp_path / "alerts.sqlite", tmp_path / "a.jsonl", AlertSettings(), Secret.parse(taking.url))
        with telling.Telling(known) as sending:
            sending.warn(Finding("fraud", "7", "Order 7 may be a fraud"), "shop.orders")
            for _ in range(3):
                assert tries.acquire(timeout=20)
        assert taking.ids == ["stream:fraud:7"]
