"""The shop's catalogue: products, their costs, and prices that change."""

from dataclasses import dataclass
from functools import cached_property

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

    def pick(self, rng: np.random.Generator, day: int, count: int) -> Ints:
        """Returns products drawn from those known on the day; a few sell much better than most."""
        return pick(rng, self._weights, self.known(day), count)

    def weights(self, product: Ints) -> Floats:
        """Returns each product's weight: how well it sells, relative to others."""
        return weights(self._weights, product)

    @cached_property
    def share(self) -> Floats:
        """Returns each product's share of all units sold, when it is new."""
        product = np.arange(len(self._weights))
        known = np.maximum(product + 1, self.timetable.products[0])
        shares: Floats = self.weights(product) / self._weights[known - 1]
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
