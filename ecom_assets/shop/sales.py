"""A day's orders with all that follows from them: lines, states, payments, shipments, returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from ecom_assets.shop import frauds
from ecom_assets.shop.customers import COUNTRY_NAMES, Customers, customer_ids
from ecom_assets.shop.draws import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Ints,
    choose,
    durations,
    generator,
    pick,
    times_of_day,
    uniforms,
)
from ecom_assets.shop.names import COUNTRY_WEIGHTS
from ecom_assets.shop.products import RETURNABLE, Products, product_ids
from ecom_assets.shop.rows import (
    Rows,
    amounts,
    concat,
    days_of,
    frame,
    numbered,
    pool,
    send,
    take,
    texts,
    timestamps,
    timestamps_or_null,
)
from ecom_assets.shop.tastes import Tastes
from ecom_assets.shop.timetable import Timetable, is_campaign

CHANNELS, CHANNEL_WEIGHTS = pool(["web", "app"]), [0.68, 0.32]
STATUSES = pool(["placed", "paid", "shipped", "delivered", "cancelled"])
PLACED, PAID, SHIPPED, DELIVERED, CANCELLED = range(5)

FATES = ["unpayable", "void", "test", "customer", "inventory", "fraud", "delivered"]
FATE_WEIGHTS = [0.02, 0.01, 0.001, 0.02, 0.008, 0.0, 0.941]
"""Shares of the outcomes of orders that are no fraud."""
REASONS = pool(["void", *FATES[1:]])
UNPAYABLE, VOID, TEST, *_, FRAUD, KEPT = range(7)
"""Final outcomes of orders: delivered, or cancelled for a reason. Those up to TEST were never paid: void, or a test."""

METHODS, METHOD_WEIGHTS = pool(["card", "paypal", "transfer", "gift_card"]), [0.55, 0.25, 0.15, 0.05]
CARD, TRANSFER = 0, 2
PAYMENT_STATUSES = pool(["authorised", "captured", "failed", "refunded", "charged_back"])
AUTHORISED, CAPTURED, FAILED, REFUNDED, CHARGED_BACK = range(5)
MAX_ATTEMPTS, CHARGE_BACK, REFUND = 3, 8, 9
CHARGE_BACK_FEE = 1_500
"""What a bank asks for a charge-back, in cents; not more than was paid."""

SHIPMENT_STATUSES = pool(["open", "shipped", "delivered", "cancelled"])
OPEN, SENT, HANDED_OVER, CALLED_OFF = range(4)
CARRIERS, CARRIER_WEIGHTS = pool(["dhl", "dpd", "ups"]), [0.5, 0.3, 0.2]
SERVICES = pool(["standard", "express"])
EXPRESS_SHARE, SLIP_SHARE = 0.15, 0.02

TAX_RATES = np.array([1900, 2000, 2000, 2100, 2300])
RETURN_REASONS = pool(["too small", "damaged", "not as described", "changed mind", "arrived late", "cancelled"])
DAMAGED, CANCELLED_REASON = 1, 5
RETURN_LAGS = (7, 10, 14, 21, 30)
LONGEST_RETURN = max(RETURN_LAGS) + 1

QUANTITY_ONE_SHARE = 0.75
UNITS_PER_LINE = 1 / QUANTITY_ONE_SHARE
GUEST_SHARE, ABROAD_SHARE, COUPON_SHARE = 0.12, 0.02, 0.1
DISSATISFIED_SHARE = 0.25
"""Share of the orders of which something may come back."""
RETRACTED_LINE = 90
"""The number of a line that is taken out of its order."""
MOVED_SHARE, INSTANT_SHARE, RETRY_SHARE, RECLASSIFIED_SHARE = 0.002, 0.03, 0.06, 0.05


def order_ids(numbers: Ints) -> pl.Series:
    return numbered("O", numbers, 8)


def shipment_ids(numbers: Ints) -> pl.Series:
    return numbered("H", numbers, 8)


def return_ids(numbers: Ints, line_numbers: Ints) -> pl.Series:
    return numbered("R", numbers * 100 + line_numbers, 12)


def shared_out(totals: Ints, weights: Ints, order: Ints) -> Ints:
    """Returns each order's total shared among its lines in proportion to their weights, to the cent.

    Largest remainder, ties to the earlier line. Lines are sorted by order.
    """
    weighed = np.bincount(order, weights, minlength=len(totals)).astype(np.int64)
    share, remainder = np.divmod(totals[order] * weights, np.maximum(weighed, 1)[order])
    left = totals - np.bincount(order, share, minlength=len(totals)).astype(np.int64)
    ranking = np.lexsort((-remainder, order))
    first = np.cumsum(np.bincount(order, minlength=len(totals))) - np.bincount(order, minlength=len(totals))
    rank = np.empty_like(order)
    rank[ranking] = np.arange(len(order)) - first[order]
    return share + (rank < left[order])


def _summed(values: Ints, order: Ints, orders: int) -> Ints:
    return np.bincount(order, values, minlength=orders).astype(np.int64)


@dataclass(frozen=True)
class Basket:
    """The orders placed on a day, with their lines. Money is in cents."""

    orders: Rows
    lines: Rows


@dataclass(frozen=True)
class Course:
    """The later fate of the orders placed on a day: one value per order, and the returned lines.

    Moments are in microseconds since 1970. Steps that an order does not reach have a moment too.
    """

    method: Ints
    attempts: Ints
    pause: Ints
    paid_at: Ints
    is_express: np.ndarray
    shipped_at: Ints
    delivered_at: Ints
    cancelled_at: Ints
    is_moved: np.ndarray
    returns: Rows


@dataclass(frozen=True)
class Sales:
    """Orders, payments, shipments and returns."""

    timetable: Timetable
    customers: Customers
    products: Products

    def basket(self, day: int) -> Basket:
        """Returns the orders of a day as placed."""
        seed, table = self.timetable.seed, self.timetable
        rng = generator(seed, "basket", day)
        number = np.arange(table.orders[day], table.orders[day + 1])
        count = len(number)
        times, pattern = frauds.patterns(rng, np.sort(times_of_day(rng, count)))
        at = table.begins(day) + times
        buyer, is_guest = self._buyers(rng, day, pattern)
        country = self.customers.country(buyer)
        is_abroad = frauds.is_(rng, frauds.ABROAD, pattern, ABROAD_SHARE)
        country = np.where(is_abroad, choose(rng.random(count), COUNTRY_WEIGHTS), country)

        further = int(table.further_lines[day]) if count else 0
        line_count = 1 + np.bincount(pick(rng, np.cumsum(self.customers.spend[buyer]), count, further), minlength=count)
        order = np.repeat(np.arange(count), line_count)
        first_line = np.cumsum(line_count) - line_count
        lines = len(order)
        product = self._goods(rng, day, pattern[order], buyer[order])
        price = self.products.price(product, at[order])
        quantity = np.where(pattern[order] == frauds.TESTING, 1, rng.geometric(QUANTITY_ONE_SHARE, lines))
        percent = choose(rng.random(lines), [0.55, 0.2, 0.25] if is_campaign(day) else [0.88, 0.08, 0.04]) * 10
        gross = quantity * price
        line_discount = gross * percent // 100
        net = gross - line_discount

        subtotal = _summed(net, order, count)
        coupon = np.where(rng.random(count) < COUPON_SHARE, subtotal // 10, 0)
        shipping = np.where(subtotal - coupon >= 5_000, 0, 495)
        taxed = 10_000 + (TAX_RATES[country] if table.scale.tax_included else 0)
        tax = ((subtotal - coupon) * TAX_RATES[country] + taxed // 2) // taxed
        fate = choose(rng.random(count), FATE_WEIGHTS)
        found = np.where(frauds.is_(rng, frauds.CAUGHT, pattern, 0.0), FRAUD, KEPT)
        fate = np.where(pattern == frauds.NONE, fate, found)
        orders = {
            "number": number,
            "at": at,
            "customer": np.where(is_guest, -1, buyer),
            "country": country,
            "channel": choose(rng.random(count), CHANNEL_WEIGHTS),
            "subtotal": subtotal,
            "discount": coupon,
            "shipping": shipping,
            "tax": tax,
            "total": subtotal - coupon + shipping + (0 if table.scale.tax_included else tax),
            "fate": fate,
            "pattern": pattern,
            "charged_back_at": frauds.charged_back_at(rng, at, (pattern != frauds.NONE) & (fate == KEPT)),
            "first_line": first_line,
            "line_count": line_count,
        }
        after_coupon = net - shared_out(coupon, net, order)
        return Basket(
            orders,
            {
                "order": order,
                "line_number": np.arange(lines) - first_line[order] + 1,
                "product": product,
                "quantity": quantity,
                "unit_price": price,
                "discount": line_discount,
                "paid": after_coupon,
                "tax": shared_out(tax, after_coupon, order),
            },
        )

    def _buyers(self, rng: np.random.Generator, day: int, pattern: Ints) -> tuple[Ints, np.ndarray]:
        """Returns the customer of each order of a day, and whether the order is a guest's all the same."""
        count = len(pattern)
        is_guest = rng.random(count) < GUEST_SHARE
        buyer = self.customers.buyers(rng, day, ~is_guest & (pattern == frauds.NONE))
        account = self.customers.new_accounts(rng, day, count)
        is_new = frauds.is_(rng, frauds.FRESH, pattern, 0.0) & (account >= 0)
        is_hidden = (pattern == frauds.STOLEN) | (pattern == frauds.TESTING)
        is_guest = np.where(is_hidden, ~is_new, is_guest & (pattern != frauds.TAKEOVER))
        first = frauds.first_of_row(pattern)
        return np.where(is_new, account, buyer)[first], is_guest[first]

    @cached_property
    def tastes(self) -> Tastes:
        """Returns what customers like."""
        return Tastes(self.products)

    def _goods(self, rng: np.random.Generator, day: int, pattern: Ints, customer: Ints) -> Ints:
        """Returns the product of each line, by taste, and by the pattern of its order: some frauds choose by price."""
        product = self.products.pick(rng, day, len(pattern))
        product = np.where(pattern == frauds.NONE, self.tastes.chosen(day, product, customer), product)
        is_cheap = pattern == frauds.TESTING
        by_price = np.flatnonzero(is_cheap | (pattern == frauds.STOLEN) | (pattern == frauds.TAKEOVER))
        some = self.products.pick(rng, day, frauds.CHOSEN_FROM * len(by_price)).reshape(-1, frauds.CHOSEN_FROM)
        price = self.products.price(some, np.full_like(some, self.timetable.begins(day)))
        best = np.argmax(np.where(is_cheap[by_price, None], -price, price), axis=1)
        product[by_price] = some[np.arange(len(by_price)), best]
        return product

    def course(self, day: int, basket: Basket, stocked_at: Ints) -> Course:
        """Returns the later fate of the day's orders. `stocked_at` is when all goods of each are in stock."""
        rng = generator(self.timetable.seed, "aftermath", day)
        orders, count = basket.orders, len(basket.orders["number"])
        pattern = orders["pattern"]
        is_honest = pattern == frauds.NONE
        method = np.where(is_honest, choose(rng.random(count), METHOD_WEIGHTS), CARD)
        attempts = 1 + rng.binomial(MAX_ATTEMPTS - 1, np.where(is_honest, RETRY_SHARE, frauds.RETRY[pattern]))
        if self.timetable.scale.one_payment_per_order:
            attempts = np.ones_like(attempts)
        wait = durations(rng, 20 * SECOND, 4 * MINUTE, count)
        wait += np.where(method == TRANSFER, durations(rng, HOUR, 20 * HOUR, count), 0)
        pause = durations(rng, MINUTE, 10 * MINUTE, count)
        paid_at = orders["at"] + wait + (attempts - 1) * pause
        is_express = frauds.is_(rng, frauds.EXPRESS, pattern, EXPRESS_SHARE)
        handling = durations(rng, 4 * HOUR, 44 * HOUR, count) // np.where(is_express, 2, 1) // SECOND * SECOND
        handling += np.where(rng.random(count) < SLIP_SHARE, durations(rng, DAY, 3 * DAY, count), 0)
        shipped_at = np.maximum(paid_at, stocked_at) + handling
        delivered_at = shipped_at + durations(rng, 20 * HOUR, 70 * HOUR, count)
        cancelled_at = paid_at + durations(rng, HOUR, 40 * HOUR, count)
        was_empty = day == 0 or self.timetable.demand[day - 1] == 0
        return Course(
            method=method,
            attempts=attempts,
            pause=pause,
            paid_at=paid_at,
            is_express=is_express,
            shipped_at=shipped_at,
            delivered_at=delivered_at,
            cancelled_at=cancelled_at,
            is_moved=(rng.random(count) < MOVED_SHARE) & (not was_empty),
            returns=self._returns(rng, day, basket, cancelled_at, delivered_at),
        )

    def rows(self, day: int, basket: Basket, course: Course) -> Mapping[str, Rows]:
        """Returns the day's orders and all their later states, with their arrival days, by feed."""
        rng = generator(self.timetable.seed, "sales", day)
        orders, count = basket.orders, len(basket.orders["number"])
        placed_at, fate = orders["at"], orders["fate"]
        is_instant = rng.random(count) < INSTANT_SHARE
        is_paid, is_kept = fate > TEST, fate == KEPT
        stages = np.column_stack([np.ones(count, dtype=bool), is_paid, is_kept, is_kept, ~is_kept])
        known_at = np.column_stack(
            [placed_at, course.paid_at, course.shipped_at, course.delivered_at, course.cancelled_at]
        )
        updated_at = known_at.copy()
        updated_at[is_instant, PAID] = placed_at[is_instant]
        order, status = np.nonzero(stages)
        states = {
            **{name: orders[name][order] for name in _ORDER_FACTS},
            "at": placed_at[order] - np.where(course.is_moved[order] & (status > PLACED), DAY, 0),
            "updated_at": updated_at[order, status],
            "status": status,
            "reason": np.where(status == CANCELLED, fate[order], -1),
        }
        moved_at = np.where(is_paid, course.paid_at, course.cancelled_at)
        returns = self._reclassified(rng, course.returns)
        return {
            "orders": send(rng, states, known_at[order, status]),
            "order_items": self._items(rng, basket, course.is_moved, moved_at),
            "returns": send(rng, returns, returns["updated_at"]),
            "payments": self._payments(rng, basket, course),
            "shipments": self._shipments(rng, basket, course),
        }

    def _items(self, rng: np.random.Generator, basket: Basket, is_moved: np.ndarray, moved_at: Ints) -> Rows:
        order = basket.lines["order"]
        placed_at = basket.orders["at"][order]
        items: Rows = {
            **{name: basket.lines[name] for name in _LINE_FACTS},
            "number": basket.orders["number"][order],
            "at": placed_at,
            "updated_at": placed_at,
        }
        moved = is_moved[order]
        corrected = take({**items, "at": placed_at - DAY, "updated_at": moved_at[order]}, moved)
        items = concat([items, corrected])
        if self.timetable.scale.retracted_share:
            items = self._with_retracted(items)
        return send(rng, items, items["updated_at"])

    def _with_retracted(self, items: Rows) -> Rows:
        """Returns the lines; some orders have one line more, which is retracted after a day."""
        share = self.timetable.scale.retracted_share
        has_more = uniforms(self.timetable.seed, "retracted line", items["number"]) < share
        first = take(items, has_more & (items["line_number"] == 1) & (items["updated_at"] == items["at"]))
        none = np.zeros_like(first["number"])
        more = {**first, "line_number": none + RETRACTED_LINE, "quantity": none + 1, "discount": none}
        gone = {**more, "updated_at": more["updated_at"] + DAY}
        parts = ((items, 0), (more, 0), (gone, 1))
        return concat([{**part, "is_deleted": np.full_like(part["number"], deleted)} for part, deleted in parts])

    def _payments(self, rng: np.random.Generator, basket: Basket, course: Course) -> Rows:
        orders, method = basket.orders, course.method
        attempts, paid_at = course.attempts, course.paid_at
        fate, number, total = orders["fate"], orders["number"], orders["total"]
        fee = (total * 14 + 500) // 1_000 + 25
        capture = durations(rng, HOUR, 30 * HOUR, len(number))

        def payments(which: np.ndarray, attempt: Ints | int, at: Ints, updated_at: Ints, status: int) -> Rows:
            return take(
                {
                    "number": number,
                    "attempt": np.broadcast_to(attempt, number.shape),
                    "at": at,
                    "updated_at": updated_at,
                    "method": method,
                    "status": np.full_like(number, status),
                    "amount": total,
                    "fee": fee if status == CAPTURED else np.zeros_like(fee),
                },
                which,
            )

        is_held = (fate == VOID) | (fate == TEST)
        is_authorised = is_held | ((method == CARD) & (fate == KEPT))
        captured_at = np.where(is_authorised, paid_at + capture, paid_at)
        fails = [
            payments(
                (attempt < attempts) | ((attempt == attempts) & (fate == UNPAYABLE)),
                attempt,
                at := paid_at - (attempts - attempt) * course.pause,
                at,
                FAILED,
            )
            for attempt in range(1, MAX_ATTEMPTS + 1)
        ]
        sent = concat(
            [
                *fails,
                payments(is_authorised, attempts, paid_at, paid_at, AUTHORISED),
                payments(fate > TEST, attempts, paid_at, captured_at, CAPTURED),
                self._refunds(basket, course),
            ]
        )
        return send(rng, sent, sent["updated_at"])

    def disputes(self, basket: Basket) -> Rows:
        """Returns the charge-backs of a day's orders, as payments."""
        if self.timetable.scale.one_payment_per_order:
            basket = Basket({name: values[:0] for name, values in basket.orders.items()}, basket.lines)
        orders = take(basket.orders, basket.orders["charged_back_at"] >= 0)
        number, at = orders["number"], orders["charged_back_at"]
        return {
            "number": number,
            "attempt": np.full_like(number, CHARGE_BACK),
            "at": at,
            "updated_at": at,
            "method": np.full_like(number, CARD),
            "status": np.full_like(number, CHARGED_BACK),
            "amount": orders["total"],
            "fee": np.minimum(orders["total"], CHARGE_BACK_FEE),
        }

    def _refunds(self, basket: Basket, course: Course) -> Rows:
        """Returns one refund payment per order with returns."""
        count, returns = len(basket.orders["number"]), course.returns
        order = returns["order"]
        tax = 0 if self.timetable.scale.tax_included else returns["tax"]
        amount = _summed(returns["amount"] + returns["shipping"] + tax, order, count)
        at = np.zeros(count, dtype=np.int64)
        at[order] = returns["at"]
        refunded = np.flatnonzero(at > 0)
        if self.timetable.scale.one_payment_per_order:
            refunded = refunded[:0]
        number = basket.orders["number"][refunded]
        return {
            "number": number,
            "attempt": np.full_like(number, REFUND),
            "at": at[refunded],
            "updated_at": at[refunded],
            "method": course.method[refunded],
            "status": np.full_like(number, REFUNDED),
            "amount": amount[refunded],
            "fee": np.zeros_like(number),
        }

    def _shipments(self, rng: np.random.Generator, basket: Basket, course: Course) -> Rows:
        """Returns one shipment per paid order: requested, then shipped and delivered, or cancelled."""
        orders, fate = basket.orders, basket.orders["fate"]
        count = len(fate)
        is_paid, is_kept = fate > TEST, fate == KEPT
        units = _summed(basket.lines["quantity"], basket.lines["order"], count)
        known_at = np.column_stack([course.paid_at, course.shipped_at, course.delivered_at, course.cancelled_at])
        order, status = np.nonzero(np.column_stack([is_paid, is_kept, is_kept, is_paid & ~is_kept]))
        placed_at = orders["at"] - np.where(course.is_moved, DAY, 0)
        is_shipped, is_delivered = (status == SENT) | (status == HANDED_OVER), status == HANDED_OVER
        promise = np.where(course.is_express, 1, 2)
        cost = np.where(course.is_express, 750, 380) + 35 * units
        shipments = {
            "number": orders["number"][order],
            "at": placed_at[order],
            "updated_at": known_at[order, status],
            "status": status,
            "carrier": choose(rng.random(count), CARRIER_WEIGHTS)[order],
            "service": course.is_express[order].astype(np.int64),
            "promised": orders["at"][order] // DAY + promise[order],
            "shipped_at": np.where(is_shipped, course.shipped_at[order], -1),
            "delivered_at": np.where(is_delivered, course.delivered_at[order], -1),
            "cost": np.where(is_shipped, cost[order], 0),
        }
        return send(rng, shipments, shipments["updated_at"])

    def _returns(
        self, rng: np.random.Generator, day: int, basket: Basket, cancelled_at: Ints, delivered_at: Ints
    ) -> Rows:
        orders, lines = basket.orders, basket.lines
        count, order = len(orders["number"]), lines["order"]
        fate = orders["fate"]
        is_called_off = (fate > TEST) & (fate < KEPT)
        is_dissatisfied = (orders["pattern"] == frauds.NONE) & (rng.random(count) < DISSATISFIED_SHARE)
        gives_back = (fate == KEPT) & is_dissatisfied
        lag = rng.choice(RETURN_LAGS, count)
        returned_at = self.timetable.begins(day) + lag * DAY + times_of_day(rng, count)
        returned_at = np.maximum(returned_at, delivered_at + durations(rng, DAY, 3 * DAY, count))
        returnable = RETURNABLE[self.products.category(lines["product"])]
        comes_back = gives_back[order] & (rng.random(len(order)) < returnable)
        some = 1 + (rng.random(len(order)) * lines["quantity"]).astype(np.int64)
        quantity = np.where(comes_back, some, lines["quantity"])
        is_first = lines["line_number"] == 1
        returns = take(
            {
                "order": order,
                "line_number": lines["line_number"],
                "product": lines["product"],
                "number": orders["number"][order],
                "customer": orders["customer"][order],
                "channel": orders["channel"][order],
                "country": orders["country"][order],
                "at": np.where(is_called_off, cancelled_at, returned_at)[order],
                "quantity": quantity,
                "amount": lines["paid"] * quantity // lines["quantity"],
                "shipping": np.where(is_called_off[order] & is_first, orders["shipping"][order], 0),
                "tax": lines["tax"] * quantity // lines["quantity"],
                "reason": np.where(
                    is_called_off[order], CANCELLED_REASON, rng.integers(0, CANCELLED_REASON, len(order))
                ),
            },
            comes_back | is_called_off[order],
        )
        return {**returns, "updated_at": returns["at"]}

    def _reclassified(self, rng: np.random.Generator, returns: Rows) -> Rows:
        """Returns the returns; a few of them are sent again with another reason."""
        again = (rng.random(len(returns["at"])) < RECLASSIFIED_SHARE) & (returns["reason"] != CANCELLED_REASON)
        reclassified = take(returns, again)
        later = reclassified["at"] + durations(rng, HOUR, 24 * HOUR, len(reclassified["at"]))
        reason = (reclassified["reason"] + 1) % CANCELLED_REASON
        return concat([returns, {**reclassified, "updated_at": later, "reason": reason}])


_ORDER_FACTS = ["number", "customer", "country", "channel", "subtotal", "discount", "shipping", "tax", "total"]
_LINE_FACTS = ["line_number", "product", "quantity", "unit_price", "discount"]


def orders_frame(rows: Rows) -> pl.DataFrame:
    return frame(
        {
            "order_id": order_ids(rows["number"]),
            "customer_id": customer_ids(rows["customer"]),
            "ordered_at": timestamps(rows["at"]),
            "updated_at": timestamps(rows["updated_at"]),
            "status": texts(STATUSES, rows["status"]),
            "cancel_reason": texts(REASONS, rows["reason"]),
            "channel": texts(CHANNELS, rows["channel"]),
            "country": texts(COUNTRY_NAMES, rows["country"]),
            **{name: amounts(rows[name]) for name in ("subtotal", "discount", "shipping", "tax", "total")},
        }
    )


def order_items_frame(rows: Rows) -> pl.DataFrame:
    return frame(
        {
            "order_id": order_ids(rows["number"]),
            "line_number": pl.Series(rows["line_number"]),
            "product_id": product_ids(rows["product"]),
            "description": pl.Series([None], dtype=pl.String).new_from_index(0, len(rows["product"])),
            "ordered_at": timestamps(rows["at"]),
            "updated_at": timestamps(rows["updated_at"]),
            "quantity": pl.Series(rows["quantity"]),
            "unit_price": amounts(rows["unit_price"]),
            "discount": amounts(rows["discount"]),
            **({"is_deleted": pl.Series(rows["is_deleted"] == 1)} if "is_deleted" in rows else {}),
        }
    )


def payments_frame(rows: Rows) -> pl.DataFrame:
    return frame(
        {
            "payment_id": numbered("Y", rows["number"] * 10 + rows["attempt"], 12),
            "order_id": order_ids(rows["number"]),
            "paid_at": timestamps(rows["at"]),
            "updated_at": timestamps(rows["updated_at"]),
            "method": texts(METHODS, rows["method"]),
            "status": texts(PAYMENT_STATUSES, rows["status"]),
            "amount": amounts(rows["amount"]),
            "fee": amounts(rows["fee"]),
        }
    )


def returns_frame(rows: Rows) -> pl.DataFrame:
    return frame(
        {
            "return_id": return_ids(rows["number"], rows["line_number"]),
            "order_id": order_ids(rows["number"]),
            "line_number": pl.Series(rows["line_number"]),
            "product_id": product_ids(rows["product"]),
            "description": pl.Series([None], dtype=pl.String).new_from_index(0, len(rows["product"])),
            "customer_id": customer_ids(rows["customer"]),
            "returned_at": timestamps(rows["at"]),
            "updated_at": timestamps(rows["updated_at"]),
            "channel": texts(CHANNELS, rows["channel"]),
            "country": texts(COUNTRY_NAMES, rows["country"]),
            "quantity": pl.Series(rows["quantity"]),
            **{name: amounts(rows[name]) for name in ("amount", "shipping", "tax")},
            "reason": texts(RETURN_REASONS, rows["reason"]),
        }
    )


def shipments_frame(rows: Rows) -> pl.DataFrame:
    return frame(
        {
            "shipment_id": shipment_ids(rows["number"]),
            "order_id": order_ids(rows["number"]),
            "ordered_at": timestamps(rows["at"]),
            "updated_at": timestamps(rows["updated_at"]),
            "status": texts(SHIPMENT_STATUSES, rows["status"]),
            "carrier": texts(CARRIERS, rows["carrier"]),
            "service": texts(SERVICES, rows["service"]),
            "promised_on": days_of(rows["promised"]),
            "shipped_at": timestamps_or_null(rows["shipped_at"]),
            "delivered_at": timestamps_or_null(rows["delivered_at"]),
            "cost": amounts(rows["cost"]),
        }
    )
