"""The shop's catalogue: products, their costs, prices that change, and how well each sells on a day.

A few products sell much better than most. Each category has a season, a strong one gardens and toys: retail sales of
garden supplies are highest in May, those of toys in December (U.S. Census Bureau, Monthly Retail Trade Survey, not
adjusted for season). A product that is new becomes known little by little, at a constant chance for each customer who
does not know it (Fourt and Woodlock 1960, Early Prediction of Market Success for New Grocery Products, Journal of
Marketing 25), and after a lifetime that is exponentially distributed what is left of it is sold off.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import polars as pl

from ecom_assets.shop.changes import Changes
from ecom_assets.shop.draws import (
    DAY,
    SECOND,
    Floats,
    Ints,
    below,
    choose,
    generator,
    normals,
    pick,
    popularity,
    uniforms,
    weights,
)
from ecom_assets.shop.names import BRANDS, names
from ecom_assets.shop.rows import Rows, amounts, concat, frame, numbered, pool, send, take, texts, timestamps
from ecom_assets.shop.timetable import Timetable

CATEGORIES = {
    "Home": ["Lamp", "Cushion", "Vase", "Rug"],
    "Kitchen": ["Kettle", "Mug", "Pan", "Knife"],
    "Clothing": ["Shirt", "Jacket", "Scarf", "Socks"],
    "Electronics": ["Charger", "Headset", "Speaker", "Cable"],
    "Toys": ["Puzzle", "Kite", "Train", "Doll"],
    "Books": ["Novel", "Cookbook", "Atlas", "Guide"],
    "Garden": ["Spade", "Planter", "Hose", "Lantern"],
    "Beauty": ["Soap", "Cream", "Brush", "Perfume"],
}
CATEGORY_WEIGHTS = [0.2, 0.16, 0.18, 0.12, 0.1, 0.1, 0.08, 0.06]
PEAKS, STRENGTHS = (
    np.array([330, 340, 300, 340, 350, 345, 140, 345]),
    np.array([0.1, 0.1, 0.2, 0.2, 0.5, 0.3, 0.5, 0.2]),
)
"""Of each category's season: the day of the year on which it sells most, and by which share more than on average."""
LAUNCH_DAYS = 10
"""Mean days after which a customer knows a new product."""
LIFE_DAYS, LEFT = 900, 0.02
"""Mean days from a product's launch to its end, and how much of it sells after that."""
RETURNABLE = np.array([0.45, 0.35, 1.0, 0.6, 0.4, 0.15, 0.3, 0.2])
"""Share of each category's lines that come back, of those in orders of which something may come back."""
STYLES = pool(
    ["Classic", "Modern", "Vintage", "Nordic", "Compact", "Large", "Travel", "Wooden", "Red", "Blue", "Green"]
)
CATEGORY_NAMES = pool(list(CATEGORIES))
NOUNS = pool([noun for nouns in CATEGORIES.values() for noun in nouns])
KINDS = pool(["gift_card"])
PRICE_MU, PRICE_SIGMA = 3.0, 0.8
BEST_SELLER_ALPHA = 1.2
DAYS_KEPT = 16
MONTH = 30


def product_ids(numbers: Ints) -> pl.Series:
    return numbered("P", numbers, 8)


@dataclass(frozen=True)
class Products:
    """Products are numbered in the order in which they entered the catalogue."""

    timetable: Timetable

    @property
    def seed(self) -> int:
        return self.timetable.seed

    @cached_property
    def _changes(self) -> Changes:
        return Changes(self.seed, "price", periods=(45, 120, 300))

    @cached_property
    def _weights(self) -> Floats:
        return popularity(self.seed, "product", int(self.timetable.products[-1]), BEST_SELLER_ALPHA)

    @cached_property
    def _born(self) -> Ints:
        product = np.arange(self.timetable.products[-1])
        day = np.searchsorted(self.timetable.products, product, side="right") - 1
        time = (6 * 3600 + below(self.seed, "listing time", product, 4 * 3600)) * SECOND
        return np.where(day < 0, 0, day * DAY + time) + self.timetable.begins(0)

    @cached_property
    def _first_price(self) -> Ints:
        """Returns log-normal prices, in cents."""
        product = np.arange(self.timetable.products[-1])
        price = 100 * np.exp(PRICE_MU + PRICE_SIGMA * normals(self.seed, "price", product))
        cents: Ints = np.maximum(np.rint(price).astype(np.int64), 50)
        return cents

    def known(self, day: int) -> int:
        """Returns the number of products listed before the previous day, and at the start."""
        return int(self.timetable.products[max(day - 1, 0)])

    @cached_property
    def _listed_on(self) -> Ints:
        """Returns the day of each launch; products of the opening are long known, and at any point of their lives."""
        day: Ints = np.searchsorted(self.timetable.products, np.arange(len(self._weights)), side="right") - 1
        return np.where(day < 0, -LIFE_DAYS, day)

    @cached_property
    def ends_on(self) -> Ints:
        """Returns the day from which on what is left of each product is sold off."""
        life = -LIFE_DAYS * np.log1p(-uniforms(self.seed, "life", np.arange(len(self._weights))))
        ends: Ints = np.maximum(self._listed_on, 0) + np.ceil(life).astype(np.int64)
        return ends

    def _alive(self, day: int) -> Floats:
        """Returns how well each product known on a day sells, apart from its season."""
        product = np.arange(self.known(day))
        known = -np.expm1(-(day - self._listed_on[product]) / LAUNCH_DAYS)
        alive: Floats = self.weights(product) * known * np.where(self.ends_on[product] > day, 1.0, LEFT)
        return alive

    def selling(self, day: int) -> Floats:
        """Returns how well each product known on a day sells, relative to others."""
        alive = self._alive(day)
        of_year = self.timetable.start.timetuple().tm_yday + day
        season = 1 + STRENGTHS * np.cos(2 * np.pi * (of_year - PEAKS) / 365.25)
        selling: Floats = alive * season[self._category[: len(alive)]]
        return selling

    @cached_property
    def _running(self) -> Callable[[int], Floats]:
        return lru_cache(DAYS_KEPT)(lambda day: np.cumsum(self.selling(day)))

    @cached_property
    def _by_category(self) -> Callable[[int], tuple[Ints, Floats]]:
        return lru_cache(DAYS_KEPT)(self._sorted_by_category)

    def _sorted_by_category(self, day: int) -> tuple[Ints, Floats]:
        """Returns the known products by category, and running sums of how well they sell."""
        selling = self.selling(day)
        product = np.argsort(self._category[: len(selling)], kind="stable")
        return product, np.cumsum(selling[product])

    def pick(self, rng: np.random.Generator, day: int, count: int) -> Ints:
        """Returns products drawn from those known on the day; a few sell much better than most."""
        return pick(rng, self._running(day), self.known(day), count)

    def pick_of(self, rng: np.random.Generator, day: int, category: Ints) -> Ints:
        """Returns a product of each category, drawn from those known on the day; -1 of one without a product."""
        product, running = self._by_category(day)
        ends = np.searchsorted(self._category[product], np.arange(len(CATEGORIES) + 1), side="left")
        sums = np.concatenate(([0.0], running))[ends]
        low, high = sums[category], sums[category + 1]
        places = np.searchsorted(running, low + rng.random(len(category)) * (high - low), side="right")
        within = np.clip(places, ends[category], ends[category + 1] - 1)
        return np.where(high > low, product[np.maximum(within, 0)], -1)

    def weights(self, product: Ints) -> Floats:
        """Returns each product's weight: how well it sells, relative to others, while known and not at its end."""
        return weights(self._weights, product)

    @cached_property
    def share(self) -> Floats:
        """Returns each product's share of all units sold while others are as when it was new, season apart."""
        product, days = np.arange(len(self._weights)), np.arange(0, self.timetable.days + MONTH, MONTH)
        totals = [self._alive(min(int(day), self.timetable.days)).sum() for day in days]
        shares: Floats = self.weights(product) / np.interp(np.maximum(self._listed_on, 0), days, totals)
        return shares

    def listed(self, day: int) -> Ints:
        """Returns the products that enter the catalogue on a day."""
        listed = self.timetable.products
        return np.arange(listed[day] if day else 0, listed[day + 1])

    def listed_at(self, product: Ints) -> Ints:
        """Returns when each product entered the catalogue."""
        moments: Ints = self._born[product]
        return moments

    def cost(self, product: Ints) -> Ints:
        """Returns the cost of one unit to the shop, in cents."""
        cost_share = 0.4 + 0.3 * uniforms(self.seed, "cost share", product)
        return np.rint(self._first_price[product] * cost_share).astype(np.int64)

    def price(self, product: Ints, at: Ints) -> Ints:
        """Returns the price of one unit at the given moments, in cents."""
        return self._price_of(product, self._changes.version(product, self._born[product], at))

    def _price_of(self, product: Ints, version: Ints) -> Ints:
        factor = 0.85 + 0.3 * uniforms(self.seed, "price change", product * 4096 + version)
        first = self._first_price[product]
        return np.where(version == 0, first, np.rint(first * factor).astype(np.int64))

    def rows(self, day: int) -> Rows:
        """Returns the products listed and the prices changed on the day."""
        new, known = self.listed(day), int(self.timetable.products[day]) if day else 0
        made = {"product": new, "at": self.listed_at(new), "version": np.zeros_like(new)}
        priced = self._changes.rows("product", known, self.listed_at, self.timetable.begins(day))
        rows = concat([made, priced])
        rows = take(rows, np.argsort(rows["at"], kind="stable"))
        return send(generator(self.seed, "products sent", day), rows, rows["at"])

    def category(self, product: Ints) -> Ints:
        return choose(uniforms(self.seed, "category", product), CATEGORY_WEIGHTS)

    @cached_property
    def _category(self) -> Ints:
        return self.category(np.arange(len(self._weights)))

    def frame(self, rows: Rows) -> pl.DataFrame:
        product = rows["product"]
        category = self.category(product)
        noun = category * 4 + below(self.seed, "noun", product, 4)
        style = texts(STYLES, below(self.seed, "style", product, len(STYLES) - 1))
        share = self.timetable.scale.gift_card_share
        is_gift_card = uniforms(self.seed, "gift card", product) < share
        return frame(
            {
                "product_id": product_ids(product),
                "changed_at": timestamps(rows["at"]),
                "name": style + " " + texts(NOUNS, noun),
                "category": texts(CATEGORY_NAMES, category),
                "brand": texts(names(self.seed).brands, below(self.seed, "brand", product, BRANDS)),
                "price": amounts(self._price_of(product, rows["version"])),
                "cost": amounts(self.cost(product)),
                "is_active": pl.Series(np.ones(len(product), dtype=bool)),
                **({"kind": texts(KINDS, is_gift_card - 1)} if share else {}),
            }
        )
