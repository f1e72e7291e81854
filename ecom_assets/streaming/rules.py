"""Rules that records are held against at once, one by one: early warnings, before any table is made.

A rule keeps counts of what it has seen, in the memory of the consumer, by the moments of records. It is coarse on
purpose: it knows the stream alone, and what the last snapshot had. The tables decide.
"""

import datetime as dt
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, Protocol

from ecom_assets.alerting.events import Severity

MINUTE = 60_000
"""Milliseconds."""
MOST_KEPT = 100_000
"""Orders and customers that a rule remembers, the latest ones."""


class Seen(NamedTuple):
    """A record of a feed: the moment in milliseconds since 1970, and its values."""

    feed: str
    at: int
    values: Mapping[str, Any]


class Finding(NamedTuple):
    """What a rule warns of: the thing, which is told of once, and a sentence."""

    rule: str
    about: str
    note: str
    severity: Severity = Severity.CRITICAL


class Rule(Protocol):
    """A rule over records of some feeds."""

    def see(self, seen: Seen) -> Iterator[Finding]:
        """Takes a record, and yields what to warn of."""


@dataclass
class LikelyFraud:
    """Warns of orders with as many points as a limit, of the points that `models.fraud` gives.

    The stream tells of failed payments, orders in a row, guests, high amounts, nights, and charge-backs. Country and
    age of an account it does not tell.
    """

    points: Mapping[str, int]
    high_amount: float
    night_hours: int
    limit: int = 5
    in_a_row: int = 15 * MINUTE
    _told: dict[str, None] = field(default_factory=dict)
    _orders: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Points of an order without those of its payments, and the customer, by number."""
    _customers: dict[str, str] = field(default_factory=dict)
    _failed: dict[str, set[str]] = field(default_factory=dict)
    _placed: dict[str, deque[tuple[int, str]]] = field(default_factory=dict)
    _charged_back: dict[str, None] = field(default_factory=dict)

    def see(self, seen: Seen) -> Iterator[Finding]:
        number = str(seen.values.get("order_id"))
        if seen.feed == "payments":
            self._pay(number, seen.values)
        elif seen.feed != "orders" or seen.values.get("status") == "cancelled":
            return
        elif number not in self._orders:
            self._place(number, seen)
        if number in self._orders:
            names, points = self._orders[number]
            failed = len(self._failed.get(number, ()))
            reason = {0: "", 1: "a failed payment"}.get(failed, "several failed payments")
            points += self.points.get(reason, 0)
            if points >= self.limit and number not in self._told:
                _kept(self._told, number, None)
                why = ", ".join(each for each in (names, reason) if each)
                yield Finding("fraud", number, f"Order {number} may be a fraud, by {points} points: {why}")

    def _pay(self, number: str, values: Mapping[str, Any]) -> None:
        if values.get("status") == "failed":
            _kept(self._failed, number, self._failed.get(number, set()) | {str(values.get("payment_id"))})
        elif values.get("status") == "charged_back" and (customer := self._customers.get(number)):
            _kept(self._charged_back, customer, None)

    def _place(self, number: str, seen: Seen) -> None:
        customer = str(seen.values.get("customer_id") or "")
        before = self._placed.get(customer) or deque()
        before.append((seen.at, number))
        while before[0][0] <= seen.at - self.in_a_row:
            before.popleft()
        _kept(self._placed, customer, before)
        amount = _number(seen.values.get("total"))
        is_night = dt.datetime.fromtimestamp(seen.at / 1_000, dt.UTC).hour < self.night_hours
        names = [
            name
            for name, holds in (
                ("orders in a row", len(before) >= 3),
                ("a new account or none, and a high amount", not customer and amount >= self.high_amount),
                ("at night", is_night),
                ("charged back before", customer in self._charged_back),
            )
            if holds
        ]
        _kept(self._customers, number, customer)
        _kept(self._orders, number, (", ".join(names), sum(self.points.get(name, 0) for name in names)))


@dataclass
class StockBelowZero:
    """Warns of products of which more has left the stock than was there.

    `on_hand` are the units of the last snapshot. A product that it does not have is known from its opening on.
    """

    on_hand: dict[str, Decimal] = field(default_factory=dict)
    _seen: dict[str, None] = field(default_factory=dict)
    _below: set[str] = field(default_factory=set)

    def see(self, seen: Seen) -> Iterator[Finding]:
        movement, kind = str(seen.values.get("movement_id")), seen.values.get("kind")
        if seen.feed != "inventory_movements" or kind == "count" or movement in self._seen:
            return
        _kept(self._seen, movement, None)
        product = str(seen.values.get("product_id"))
        if product not in self.on_hand and kind != "opening":
            return
        left = self.on_hand.get(product, Decimal(0)) + _number(seen.values.get("quantity"))
        self.on_hand[product] = left
        if left >= 0:
            self._below.discard(product)
        elif product not in self._below:
            self._below.add(product)
            yield Finding("stock", f"{product} {movement}", f"Stock of {product} is below zero: {left:f} units")


@dataclass
class PaymentFailures:
    """Warns once when many payments fail within a short time, and again after that was over."""

    count: int = 20
    within: int = MINUTE
    _failed: deque[int] = field(default_factory=deque)
    _seen: dict[str, None] = field(default_factory=dict)
    _is_told: bool = False

    def see(self, seen: Seen) -> Iterator[Finding]:
        number = str(seen.values.get("payment_id"))
        if seen.feed != "payments" or seen.values.get("status") != "failed" or number in self._seen:
            return
        _kept(self._seen, number, None)
        self._failed.append(seen.at)
        while self._failed[0] <= seen.at - self.within:
            self._failed.popleft()
        if len(self._failed) < self.count // 2:
            self._is_told = False
        elif len(self._failed) >= self.count and not self._is_told:
            self._is_told = True
            note = f"{len(self._failed)} payments have failed within {self.within // 1_000} seconds"
            yield Finding("payments", number, note)


@dataclass
class CheckoutSilent:
    """Warns once when visitors begin to check out and none completes an order, and again after one has."""

    count: int = 30
    within: int = 15 * MINUTE
    _begun: deque[int] = field(default_factory=deque)
    _is_told: bool = False

    def see(self, seen: Seen) -> Iterator[Finding]:
        if seen.feed != "events":
            return
        event = seen.values.get("event")
        if event == "Order Completed":
            self._begun.clear()
            self._is_told = False
        elif event == "Checkout Started":
            self._begun.append(seen.at)
            while self._begun[0] < seen.at - self.within:
                self._begun.popleft()
            if len(self._begun) >= self.count and not self._is_told:
                self._is_told = True
                minutes = max((seen.at - self._begun[0]) // MINUTE, 1)
                note = f"{len(self._begun)} visitors began to check out in {minutes} minutes, and none has ordered"
                yield Finding("checkout", str(seen.values.get("event_id")), note)


@dataclass(frozen=True)
class RuleFacts:
    """What rules have to know: of `models.fraud`, and the units on hand at the end of the snapshot's last day."""

    points: Mapping[str, int]
    high_amount: float
    night_hours: int
    on_hand: Mapping[str, Decimal] = field(default_factory=dict)
    stock_day: dt.date = dt.date.min


def rules(facts: RuleFacts) -> list[Rule]:
    """Returns all rules."""
    fraud = LikelyFraud(facts.points, facts.high_amount, facts.night_hours)
    return [fraud, StockBelowZero(dict(facts.on_hand)), PaymentFailures(), CheckoutSilent()]


FEEDS = ("orders", "payments", "inventory_movements", "events")
"""The feeds that rules look at."""


def findings(all_rules: Sequence[Rule], seen: Seen) -> Iterator[Finding]:
    """Yields what any rule warns of."""
    for rule in all_rules:
        yield from rule.see(seen)


def _kept(known: dict[str, Any], key: str, value: Any) -> None:
    """Remembers a value as the latest, and forgets the oldest of too many."""
    known.pop(key, None)
    known[key] = value
    if len(known) > MOST_KEPT:
        del known[next(iter(known))]


def _number(value: Any) -> Decimal:
    with suppress(InvalidOperation, ValueError):
        found = Decimal(str(value))
        return found if found.is_finite() else Decimal(0)
    return Decimal(0)
