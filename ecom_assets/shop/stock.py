"""What lies in the shop's stock: what is ordered from suppliers, what comes and goes, and when orders can be served.

Each product is ordered from its supplier once a week, up to a level of its own (periodic review with an order-up-to
level, the (R, S) policy): what lies there and what is on its way make the level again after each review. So the stock
of any moment follows from the demand of the last three weeks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import polars as pl

from ecom_assets.shop.changes import Changes
from ecom_assets.shop.draws import DAY, HOUR, MINUTE, SECOND, Ints, below, choose, generator, uniforms
from ecom_assets.shop.products import Products, product_ids
from ecom_assets.shop.rows import Rows, amounts, concat, days_of, frame, numbered, pool, send, take, texts, timestamps
from ecom_assets.shop.sales import (
    CANCELLED_REASON,
    DAMAGED,
    FATE_WEIGHTS,
    KEPT,
    LONGEST_RETURN,
    QUANTITY_ONE_SHARE,
    UNITS_PER_LINE,
    Basket,
    Course,
    return_ids,
    shipment_ids,
)
from ecom_assets.shop.suppliers import LONGEST_LEAD, Suppliers, supplier_ids
from ecom_assets.shop.timetable import Timetable

KINDS = pool(["opening", "receipt", "sale", "return", "adjustment"])
OPENING, RECEIPT, SALE, RETURN, ADJUSTMENT = range(5)

REVIEW_DAYS = 7
DELAYS, DELAY_WEIGHTS = np.array([0, 1, 2, 4]), [0.8, 0.12, 0.05, 0.03]
LONGEST_SUPPLY = LONGEST_LEAD + int(DELAYS.max())
"""Days from an order to a supplier until the goods come. Less than two reviews, so that two orders at most are open."""

SQUARED_UNITS_PER_LINE = (2 - QUANTITY_ONE_SHARE) / QUANTITY_ONE_SHARE**2
"""Mean square of a line's units, which are geometric."""
LOWEST_COVER, COVERS = 1.0, 0.7
"""How much of its mean demand each product's level covers: from the lowest, up to that much more."""
SAFETY = 1.0
"""Safety margin of the stock level, in standard deviations of demand."""

COUNTED, COUNTED_WEIGHTS = np.array([-2, -1, 0, 1]), [0.08, 0.17, 0.65, 0.1]
"""Differences found by stock counts."""

REVIEWS = 100_000
"""More than the number of days: the factor by which (product, day) pairs are numbered."""
DAYS_KEPT = 128

BOOKED_WITHIN = 2
"""Days within which the warehouse has sent all movements of a day."""


def receipt_ids(numbers: Ints) -> pl.Series:
    return numbered("G", numbers, 16)


def running(product: Ints, quantity: Ints) -> Ints:
    """Returns for each row the running units of its product, including the row."""
    by_product = np.argsort(product, kind="stable")
    so_far = np.cumsum(quantity[by_product])
    is_first = np.diff(product[by_product], prepend=-1) != 0
    before = (so_far - quantity[by_product])[is_first]
    units = np.empty_like(quantity)
    units[by_product] = so_far - np.repeat(before, np.diff(np.append(np.flatnonzero(is_first), len(product))))
    return units


def _kept_lines(basket: Basket) -> tuple[Ints, Ints, Ints]:
    """Returns order, product and quantity of the lines that finally leave the stock."""
    order = basket.lines["order"]
    kept = basket.orders["fate"][order] == KEPT
    return order[kept], basket.lines["product"][kept], basket.lines["quantity"][kept]


def _movements(kind: int, product: Ints, quantity: Ints, at: Ints, number: Ints) -> Rows:
    return {"kind": np.full_like(product, kind), "product": product, "quantity": quantity, "at": at, "number": number}


@dataclass(frozen=True)
class _Missing:
    """Returns the units missing (negative if left over), and when that many have been received."""

    units: Ints
    until: Ints


class Stock:
    """The stock of all products, from the orders of each day and what became of them.

    Args:
        basket: The orders placed on a day; none after the shop's last day.
        course: What became of them.
    """

    def __init__(
        self,
        timetable: Timetable,
        products: Products,
        suppliers: Suppliers,
        basket: Callable[[int], Basket],
        course: Callable[[int], Course],
    ) -> None:
        self._timetable = timetable
        self._products = products
        self._suppliers = suppliers
        self._basket = basket
        self._course = course
        self._sold = lru_cache(DAYS_KEPT)(self._units_sold)
        self._lost = lru_cache(DAYS_KEPT)(self._units_lost)
        self._out = lru_cache(DAYS_KEPT)(self._units_out)
        self._could_come_back = lru_cache(DAYS_KEPT)(self._found_and_returned)
        self._coming_back = lru_cache(DAYS_KEPT)(self._units_that_could_come_back)
        self._back = lru_cache(DAYS_KEPT)(self._put_back)
        self._in = lru_cache(DAYS_KEPT)(self._units_in)
        self._ordered = lru_cache(DAYS_KEPT)(self._goods_ordered)

    @cached_property
    def level(self) -> Ints:
        """Returns the level up to which each product is ordered.

        That is the shop's forecast of demand until the next delivery, plus a safety margin.
        """
        scale, seed = self._timetable.scale, self._timetable.seed
        product = np.arange(len(self._products.share))
        lead = self._suppliers.lead_days(self._suppliers.of(product), self._timetable.begins(0))
        lines = scale.orders_per_day * scale.lines_per_order * FATE_WEIGHTS[KEPT] * self._products.share
        demand = lines * UNITS_PER_LINE * (REVIEW_DAYS + lead)
        foresight = LOWEST_COVER + COVERS * uniforms(seed, "foresight", product)
        margin = SAFETY * np.sqrt(demand * SQUARED_UNITS_PER_LINE / UNITS_PER_LINE)
        level: Ints = np.ceil(demand * foresight + margin).astype(np.int64)
        return level

    @cached_property
    def _supplier(self) -> Ints:
        return self._suppliers.of(np.arange(len(self._products.share)))

    def _since_review(self, day: int, product: Ints) -> Ints:
        """Returns the days since each product was last ordered, at the start of the day; 0 if ordered on the day."""
        days: Ints = (self._supplier[product] + self._timetable.begins(day) // DAY) % REVIEW_DAYS
        return days

    def _arrives_at(self, product: Ints, review: Ints) -> Ints:
        """Returns the delivery moment of each product's order of the given days."""
        seed, ordered_at = self._timetable.seed, self._timetable.begins(0) + review * DAY
        order = product * REVIEWS + review
        lead = self._suppliers.lead_days(self._supplier[product], ordered_at)
        delay = DELAYS[choose(uniforms(seed, "delay", order), DELAY_WEIGHTS)]
        time = 7 * HOUR + below(seed, "delivery time", order, 8 * 3600) * SECOND
        moments: Ints = ordered_at + (lead + delay) * DAY + time
        return moments

    @staticmethod
    def _before(day: int, flow: Callable[[int], Ints], product: Ints) -> Ints:
        """Returns the units of each product in the n days before the day, in row n."""
        units = [np.zeros(len(product), dtype=np.int64)]
        units += [flow(day - n)[product] for n in range(1, 3 * REVIEW_DAYS)]
        return np.cumsum(units, axis=0)

    def _missing(self, day: int, flow: Callable[[int], Ints], product: Ints, wanted: Ints, at: Ints) -> _Missing:
        """Returns the missing units of each product at the given moments if `wanted` units are requested on the day."""
        since = self._since_review(day, product)
        gone, row = self._before(day, flow, product), np.arange(len(product))
        review = day - since
        ordered = [gone[since + n * REVIEW_DAYS, row] for n in range(3)]
        units = np.diff(ordered, axis=0)
        arrives_at = np.array([self._arrives_at(product, review - n * REVIEW_DAYS) for n in range(2)])
        coming = units * (arrives_at > at)
        units_missing = gone[since, row] + wanted + coming.sum(axis=0) - self.level[product]
        in_turn = np.argsort(arrives_at, axis=0, kind="stable")
        first_at, second_at = np.take_along_axis(arrives_at, in_turn, axis=0)
        first, _ = np.take_along_axis(coming, in_turn, axis=0)
        next_at = np.maximum(second_at, self._arrives_at(product, review + REVIEW_DAYS))
        by_second = np.where(units_missing <= coming.sum(axis=0), second_at, next_at)
        return _Missing(units_missing, np.where(units_missing <= first, first_at, by_second))

    def stocked_at(self, day: int) -> Ints:
        """Returns when all goods of each order of a day are in stock: at once, or when missing units are delivered.

        Orders are served in sequence. Customer returns are not relied on.
        """
        basket = self._basket(day)
        placed_at = basket.orders["at"]
        order, product, quantity = _kept_lines(basket)
        wanted = running(product, quantity) + self._lost(day)[product]
        missing = self._missing(day, self._out, product, wanted, placed_at[order])
        stocked_at: Ints = placed_at.copy()
        np.maximum.at(stocked_at, order, np.where(missing.units > 0, missing.until, 0))
        return stocked_at

    def _units(self, product: Ints, quantity: Ints) -> Ints:
        units: Ints = np.bincount(product, quantity, minlength=len(self._products.share)).astype(np.int64)
        return units

    def _units_sold(self, day: int) -> Ints:
        _, product, quantity = _kept_lines(self._basket(day))
        return self._units(product, quantity)

    def _units_out(self, day: int) -> Ints:
        return self._sold(day) + self._lost(day)

    def _counted(self, day: int) -> tuple[Ints, Ints]:
        """Returns the products that are counted at night, before the day's business, and the difference found."""
        if not 0 <= day < self._timetable.days:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        known = int(self._timetable.products[day]) if day else 0
        product = self._counts.changing(self._timetable.begins(day) // DAY, known)
        off = COUNTED[choose(uniforms(self._timetable.seed, "counted", product * REVIEWS + day), COUNTED_WEIGHTS)]
        return product, off

    @cached_property
    def _counts(self) -> Changes:
        return Changes(self._timetable.seed, "count", periods=(60, 90, 120))

    def _counted_at(self, day: int, product: Ints) -> Ints:
        minutes = below(self._timetable.seed, "counted at", product * REVIEWS + day, 60)
        return self._timetable.begins(day) + minutes * MINUTE

    def _units_lost(self, day: int) -> Ints:
        """Returns the units of each product that a count did not find; never more than in stock.

        No product is counted twice in three weeks, so that the loss of one count does not depend on others.
        """
        product, off = self._counted(day)
        missing = self._missing(day, self._sold, product, -off, np.full_like(product, self._timetable.begins(day)))
        is_lost = (off < 0) & (missing.units <= 0)
        return self._units(product[is_lost], -off[is_lost])

    def _found_and_returned(self, day: int) -> Rows:
        """Returns the units found by a count, and undamaged customer returns."""
        product, off = self._counted(day)
        found = product[off > 0]
        at = self._counted_at(day, found)
        parts = [_movements(ADJUSTMENT, found, off[off > 0], at, found * REVIEWS + day)]
        about = self._timetable.begins(day) // DAY
        for ordered in range(max(day - LONGEST_RETURN, 0), min(day + 1, self._timetable.days)):
            back = self._course(ordered).returns
            is_good = (back["reason"] != CANCELLED_REASON) & (back["reason"] != DAMAGED)
            back = take(back, is_good & (back["at"] // DAY == about))
            number = back["number"] * 100 + back["line_number"]
            parts.append(_movements(RETURN, back["product"], back["quantity"], back["at"], number))
        return concat(parts)

    def _units_that_could_come_back(self, day: int) -> Ints:
        rows = self._could_come_back(day)
        return self._units(rows["product"], rows["quantity"])

    def _put_back(self, day: int) -> Rows:
        """Returns the units restocked: no more than left since the last review. Others are sold off elsewhere."""
        rows = self._could_come_back(day)
        product = rows["product"]
        since, row = self._since_review(day, product), np.arange(len(product))
        gone = self._before(day, self._out, product)[since, row]
        before = self._before(day, self._coming_back, product)[since, row]
        return take(rows, before + running(product, rows["quantity"]) <= gone)

    def _units_in(self, day: int) -> Ints:
        rows = self._back(day)
        return self._units(rows["product"], rows["quantity"])

    def _goods_ordered(self, day: int) -> Rows:
        """Returns the units ordered from suppliers on a day: those gone since the last review and not returned."""
        product = np.arange(self._timetable.products[min(day, self._timetable.days)])
        product = product[self._since_review(day, product) == 0]
        week = [self._out(day - n)[product] - self._in(day - n)[product] for n in range(1, REVIEW_DAYS + 1)]
        quantity = np.sum(week, axis=0)
        review = np.full_like(product, day)
        goods = {
            "product": product,
            "quantity": quantity,
            "ordered": review,
            "at": self._arrives_at(product, review),
            "number": product * REVIEWS + day,
        }
        return take(goods, quantity > 0)

    def _received(self, day: int) -> Rows:
        about = self._timetable.begins(day) // DAY
        ordered = [self._ordered(review) for review in range(max(day - LONGEST_SUPPLY, 0), day + 1)]
        return concat([take(goods, goods["at"] // DAY == about) for goods in ordered])

    def rows(self, day: int) -> Mapping[str, Rows]:
        """Returns receipts and movements of a day except sales, with their arrival days, by feed."""
        rng = generator(self._timetable.seed, "stock", day)
        received = self._received(day)
        listed = self._products.listed(day) if day < self._timetable.days else np.zeros(0, dtype=np.int64)
        units_lost = self._lost(day)
        lost = np.flatnonzero(units_lost)
        moved = concat(
            [
                _movements(OPENING, listed, self.level[listed], self._products.listed_at(listed), listed),
                _movements(RECEIPT, *(received[name] for name in ("product", "quantity", "at", "number"))),
                _movements(ADJUSTMENT, lost, -units_lost[lost], self._counted_at(day, lost), lost * REVIEWS + day),
                self._back(day),
            ]
        )
        return {
            "purchase_receipts": send(rng, received, received["at"], BOOKED_WITHIN),
            "inventory_movements": send(rng, moved, moved["at"], BOOKED_WITHIN),
        }

    def sales(self, day: int, basket: Basket, course: Course) -> Rows:
        """Returns the units that leave the stock for the orders of a day, as shipped."""
        order, product, quantity = _kept_lines(basket)
        line_number = basket.lines["line_number"][basket.orders["fate"][basket.lines["order"]] == KEPT]
        number = basket.orders["number"][order] * 100 + line_number
        sold = _movements(SALE, product, -quantity, course.shipped_at[order], number)
        return send(generator(self._timetable.seed, "units sold", day), sold, sold["at"], BOOKED_WITHIN)

    def receipts_frame(self, rows: Rows) -> pl.DataFrame:
        product, number = rows["product"], rows["number"]
        supplier = self._suppliers.of(product)
        price = 0.97 + 0.06 * uniforms(self._timetable.seed, "purchase price", number)
        return frame(
            {
                "receipt_id": receipt_ids(number),
                "purchase_order_id": numbered("U", supplier * REVIEWS + rows["ordered"], 12),
                "supplier_id": supplier_ids(supplier),
                "product_id": product_ids(product),
                "ordered_on": days_of(self._timetable.begins(0) // DAY + rows["ordered"]),
                "received_at": timestamps(rows["at"]),
                "quantity": pl.Series(rows["quantity"]),
                "unit_cost": amounts(np.rint(self._products.cost(product) * price).astype(np.int64)),
            }
        )


def movements_frame(rows: Rows) -> pl.DataFrame:
    kind, number = rows["kind"], rows["number"]

    def of_kind(which: int) -> Ints:
        return np.where(kind == which, number, -1)

    line = of_kind(RETURN)
    documents = pl.DataFrame(
        [
            receipt_ids(of_kind(RECEIPT)).alias("receipt"),
            shipment_ids(of_kind(SALE) // 100).alias("shipment"),
            return_ids(line // 100, np.where(line < 0, 99, line % 100)).alias("return"),
        ]
    )
    return frame(
        {
            "movement_id": numbered("M", kind * 10**15 + number, 16),
            "product_id": product_ids(rows["product"]),
            "kind": texts(KINDS, kind),
            "quantity": pl.Series(rows["quantity"]),
            "moved_at": timestamps(rows["at"]),
            "document_id": documents.select(pl.coalesce(pl.all())).to_series(),
        }
    )
