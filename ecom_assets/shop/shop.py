"""The shop: the rows of any day, by event day or by arrival day."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import lru_cache, partial

import numpy as np
import polars as pl

from ecom_assets.shop.codes import with_coupon, with_lists
from ecom_assets.shop.currencies import Currencies
from ecom_assets.shop.customers import Customers
from ecom_assets.shop.draws import DAY, generator, uniforms
from ecom_assets.shop.faults import duplicate_row, with_dirt
from ecom_assets.shop.frauds import LONGEST_CHARGE_BACK, SOONEST_CHARGE_BACK
from ecom_assets.shop.marketing import Marketing, ad_spend_frame
from ecom_assets.shop.marketplace import Marketplace
from ecom_assets.shop.products import Products
from ecom_assets.shop.reviews import Reviews, reviews_frame
from ecom_assets.shop.rows import LAGS, LONGEST_LAG, Rows, concat, marked, send, take
from ecom_assets.shop.sales import (
    LONGEST_RETURN,
    Basket,
    Course,
    Sales,
    order_items_frame,
    orders_frame,
    payments_frame,
    returns_frame,
    shipments_frame,
)
from ecom_assets.shop.scale import DEFAULT_PRESET, PRESETS, Scale
from ecom_assets.shop.stock import Stock, movements_frame
from ecom_assets.shop.stores import FEEDS as STORE_FEEDS
from ecom_assets.shop.stores import with_full_number, with_store
from ecom_assets.shop.suppliers import Suppliers
from ecom_assets.shop.timetable import Timetable
from ecom_assets.shop.truth import truth
from ecom_assets.shop.visits import Visits, events_frame

LONGEST_COURSE = LONGEST_RETURN + LONGEST_LAG
"""Days after an order within which all but its charge-back has arrived."""
LONGEST_WAIT = LONGEST_CHARGE_BACK + 1 + LONGEST_LAG
"""Days after an order within which everything that follows from it has arrived."""

RESENT_VISIT_SHARE = 0.04
"""Share of the events sent a day late that are sent again on the day after."""

_DEFECT = {"feed": pl.String, "record": pl.Int64, "kind": pl.String}


class Shop:
    """A synthetic shop. Equal arguments return equal rows, in whatever order the days are requested.

    `preset` is a name in PRESETS or a custom scale. Raises ValueError for an unknown preset.
    """

    def __init__(self, start: date, seed: int = 7, preset: str | Scale = DEFAULT_PRESET) -> None:
        if isinstance(preset, str) and preset not in PRESETS:
            raise ValueError(f"unknown preset {preset!r}; known presets: {', '.join(PRESETS)}.")
        self.start = start
        self.seed = seed
        self.preset = preset
        self.scale = PRESETS[preset] if isinstance(preset, str) else preset
        self._timetable = Timetable(start, seed, self.scale)
        self._customers = Customers(self._timetable)
        self._currencies = Currencies(self._timetable)
        self._products = Products(self._timetable)
        self._suppliers = Suppliers(self._timetable)
        self._sales = Sales(self._timetable, self._customers, self._products)
        self._reviews = Reviews(self._timetable)
        self._visits = Visits(self._timetable, self._customers, self._products)
        self._marketing = Marketing(self._timetable)
        self._marketplace = Marketplace(self._timetable, self._products)
        self._begun = lru_cache(maxsize=LONGEST_COURSE + 3)(self._rows_begun)
        self._basket = lru_cache(maxsize=2 * LONGEST_COURSE)(self._orders_placed)
        self._course = lru_cache(maxsize=2 * LONGEST_COURSE)(self._course_taken)
        self._stock = Stock(self._timetable, self._products, self._suppliers, self._basket, self._course)
        self._disputed = lru_cache(maxsize=LONGEST_CHARGE_BACK + 3)(self._orders_disputed)
        self._charged_back = lru_cache(maxsize=LONGEST_LAG + 3)(self._charge_backs)
        self._moved = lru_cache(maxsize=LONGEST_LAG + 3)(self._stock.rows)
        self._batch = lru_cache(maxsize=4 * len(LAGS))(self._visits_begun)
        self._frames: Mapping[str, Callable[[Rows], pl.DataFrame]] = {
            "customers": self._customers.frame,
            "products": self._products.frame,
            "suppliers": self._suppliers.frame,
            "orders": self._orders_frame,
            "order_items": order_items_frame,
            "payments": payments_frame,
            "returns": returns_frame,
            "campaigns": self._marketing.campaigns_frame,
            "ad_spend": ad_spend_frame,
            "shipments": shipments_frame,
            "reviews": reviews_frame,
            "purchase_receipts": self._stock.receipts_frame,
            "inventory_movements": movements_frame,
            "events": events_frame,
        }
        if self.scale.merged_share:
            self._frames = {**self._frames, "customer_merges": self._customers.merges_frame}
        if self.scale.tax_included:
            included = _then(self._frames["orders"], lambda rows: rows.with_columns(tax_included=pl.lit(True)))
            self._frames = {**self._frames, "orders": included}
        if self.scale.has_codes:
            coded = {"orders": _then(self._frames["orders"], with_coupon)}
            self._frames = {**self._frames, **coded, "events": _then(self._frames["events"], with_lists)}
        if (stores := self.scale.stores) > 1:
            numbered = {feed: _then(self._frames[feed], partial(with_store, stores=stores)) for feed in STORE_FEEDS}
            numbered["events"] = _then(self._frames["events"], partial(with_full_number, stores=stores))
            self._frames = {**self._frames, **numbered}
        self._defects: dict[int, pl.DataFrame] = {}

    def day(self, day: date) -> dict[str, pl.DataFrame]:
        """Returns all good rows of an event day, by feed. Raises ValueError before the shop's start."""
        number = self._number(day)
        about = self._timetable.begins(number)
        rows = self._belonging(number, lambda rows: rows["at"] // DAY == about // DAY)
        rows["events"] = concat([part for lag in LAGS for part in self._sent(number, lag)])
        return {feed: self._frames[feed](some) for feed, some in rows.items()} | self._rates(number)

    def arrivals(self, day: date) -> dict[str, pl.DataFrame]:
        """Returns all rows that arrive on a day, by feed, including defective copies.

        Raises ValueError before the shop's start.
        """
        number = self._number(day)
        arrived = self._timetable.begins(number) // DAY
        rows = self._belonging(number, lambda rows: rows["arrives"] == arrived)
        sent = [self._sent(number - lag, lag)[0] for lag in LAGS]
        rows["events"] = concat([*sent, self._sent(number - 2, 1)[1]])
        frames, defects = {}, []
        for feed, some in rows.items():
            good = self._frames[feed](some)
            frames[feed], faults = with_dirt(feed, good, self.scale.dirty_share, self.seed, number)
            defects += [(feed, int(place) + 1, duplicate_row.__name__) for place in np.flatnonzero(some["is_resent"])]
            defects += [(feed, record, fault) for record, fault in enumerate(faults, good.height + 1)]
        self._defects[number] = pl.DataFrame(defects, _DEFECT, orient="row")
        return frames | self._rates(number)

    def defects(self, day: date) -> pl.DataFrame:
        """Returns the planted defects of the rows that arrive on a day: feed, ordinal among the feed's rows, and kind.

        The kind is the name of a function in `ecom_assets.shop.faults`; rows that are sent again are a `duplicate_row`.
        Raises ValueError before the shop's start.
        """
        number = self._number(day)
        if number not in self._defects:
            self.arrivals(day)
        return self._defects[number]

    def settlement(self, day: date) -> pl.DataFrame:
        """Returns the report that a marketplace sends for a day. Raises ValueError before the shop's start."""
        return self._marketplace.settlement(self._number(day))

    def truth(self, day: date) -> dict[str, pl.DataFrame]:
        """Returns the truth about a day, which the feeds do not contain, by kind: see `ecom_assets.shop.truth`.

        Empty after the shop's last day. Raises ValueError before its start.
        """
        number = self._number(day)
        if number >= self._timetable.days:
            return {kind: rows.clear() for kind, rows in self.truth(self.start).items()}
        found = truth(day, number, self._timetable, self._customers, self._products, self._basket(number))
        if self.scale.stores > 1:
            found["orders"] = with_full_number(found["orders"], self.scale.stores)
        return found

    def _orders_frame(self, rows: Rows) -> pl.DataFrame:
        orders = orders_frame(rows)
        if not self.scale.foreign_share:
            return orders
        return orders.with_columns(self._currencies.of_orders(rows["number"]).alias("currency"))

    def _rates(self, number: int) -> dict[str, pl.DataFrame]:
        return {"exchange_rates": self._currencies.rates(number)} if self.scale.foreign_share else {}

    def _number(self, day: date) -> int:
        if day < self.start:
            raise ValueError(f"The shop opened on {self.start}; there is nothing on {day}.")
        return (day - self.start).days

    def _belonging(self, number: int, belongs: Callable[[Rows], np.ndarray]) -> dict[str, Rows]:
        """Returns the selected rows of all feeds but events, from all days on which they may have begun."""
        begun = [self._begun(day) for day in range(max(number - LONGEST_COURSE, 0), number + 2)]
        for day in range(max(number - LONGEST_LAG, 0), number + 1):
            begun += [self._moved(day), self._charged_back(day)]
        return {
            feed: _chosen([rows[feed] for rows in begun if feed in rows], belongs)
            for feed in self._frames
            if feed != "events"
        }

    def _rows_begun(self, day: int) -> Mapping[str, Rows]:
        """All rows that follow from what began on a day, by feed; none after the shop's last day.

        Stock movements other than sales begin and end on their day: `Stock.rows`. So do charge-backs.
        """
        if day >= self._timetable.days:
            return {feed: take(rows, np.array([], dtype=np.int64)) for feed, rows in self._begun(0).items()}
        basket, course = self._basket(day), self._course(day)
        merges = {"customer_merges": self._customers.merges(day)} if self.scale.merged_share else {}
        return {
            **merges,
            "customers": self._customers.rows(day),
            "products": self._products.rows(day),
            "suppliers": self._suppliers.rows(day),
            **self._sales.rows(day, basket, course),
            "reviews": self._reviews.rows(day, basket, course),
            "campaigns": self._marketing.campaigns(day),
            "ad_spend": self._marketing.ad_spend(day, self._visits.clicks(day)),
            "inventory_movements": self._stock.sales(day, basket, course),
        }

    def _orders_placed(self, day: int) -> Basket:
        """Returns the orders of a day; empty on days without sales."""
        if 0 <= day < self._timetable.days:
            return self._sales.basket(day)
        none = np.array([], dtype=np.int64)
        first = self._basket(0)
        return Basket(take(first.orders, none), take(first.lines, none))

    def _course_taken(self, day: int) -> Course:
        return self._sales.course(day, self._basket(day), self._stock.stocked_at(day))

    def _orders_disputed(self, day: int) -> Rows:
        return self._sales.disputes(self._basket(day))

    def _charge_backs(self, day: int) -> Mapping[str, Rows]:
        """Returns the payments that banks take back on a day, with their arrival days."""
        about = self._timetable.begins(day) // DAY
        ordered = range(max(day - LONGEST_CHARGE_BACK - 1, 0), max(day - SOONEST_CHARGE_BACK, 0) + 1)
        rows = _chosen([self._disputed(number) for number in ordered], lambda rows: rows["at"] // DAY == about)
        return {"payments": send(generator(self.seed, "charge-backs sent", day), rows, rows["at"])}

    def _visits_begun(self, day: int, lag: int) -> Rows:
        if 0 <= day < self._timetable.days:
            return self._visits.batch(day, lag, self._basket(day))
        return take(self._batch(0, lag), np.array([], dtype=np.int64))

    def _sent(self, day: int, lag: int) -> Sequence[Rows]:
        """Returns the events of an event day that are sent `lag` days late, and those of them sent again."""
        about = self._timetable.begins(day) // DAY if day >= 0 else -1
        parts = [self._batch(begun, lag) for begun in (day - 1, day, day + 1)]
        events = marked(concat([take(part, part["at"] // DAY == about) for part in parts]), is_resent=0)
        is_resent = uniforms(self.seed, "resent", events["event"]) < (RESENT_VISIT_SHARE if lag == 1 else 0)
        return events, marked(take(events, is_resent), is_resent=1)


def _then(
    make: Callable[[Rows], pl.DataFrame], change: Callable[[pl.DataFrame], pl.DataFrame]
) -> Callable[[Rows], pl.DataFrame]:
    """Returns the function that changes the frame that another makes."""
    return lambda rows: change(make(rows))


def _chosen(parts: Sequence[Rows], belongs: Callable[[Rows], np.ndarray]) -> Rows:
    """Returns the selected rows of all parts. Most parts have none; skipping them saves a copy of every column."""
    places = [np.flatnonzero(belongs(rows)) for rows in parts]
    some = [take(rows, chosen) for rows, chosen in zip(parts, places, strict=True) if len(chosen)]
    return concat(some) if some else take(parts[0], places[0])
