"""A marketplace that sells the shop's products too, and settles with the shop in reports of its own.

It sells from a stock of its own and ships by itself, and does not say who buys.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from ecom_assets.shop.customers import COUNTRY_NAMES
from ecom_assets.shop.draws import DAY, Ints, choose, generator, times_of_day
from ecom_assets.shop.names import COUNTRY_WEIGHTS
from ecom_assets.shop.products import Products, product_ids
from ecom_assets.shop.rows import Rows, amounts, concat, frame, numbered, pool, take, texts, timestamps
from ecom_assets.shop.sales import QUANTITY_ONE_SHARE, TAX_RATES
from ecom_assets.shop.timetable import Timetable

TYPES = pool(["Order", "Refund"])
ORDER, REFUND = range(2)
FEE_PERCENT, CLOSING_FEE, REFUND_FEE = 15, 30, 50
"""The marketplace's share of a price, and its fees in cents per line sold and per line refunded."""
PRICE_PERCENT, SHIPPING = 105, 399
SECOND_LINE_SHARE, PROMOTED_SHARE, PROMOTION_PERCENT = 0.25, 0.1, 10
REFUND_LAGS, REFUNDED_SHARE = (7, 14), 0.06
MAX_ORDERS = 1_000_000
"""Maximum orders per day."""


@dataclass(frozen=True)
class Marketplace:
    """Sales and refunds of the marketplace for the shop. Money is in cents."""

    timetable: Timetable
    products: Products

    def _lines(self, day: int) -> Rows:
        """Returns the order lines of a day, with the days until their refund, or 0."""
        if not 0 <= day < self.timetable.days:
            return {name: values[:0] for name, values in self._lines(0).items()}
        scale = self.timetable.scale
        rng = generator(self.timetable.seed, "marketplace", day)
        count = int(rng.poisson(scale.orders_per_day * scale.marketplace_share * self.timetable.demand[day]))
        at = self.timetable.begins(day) + np.sort(times_of_day(rng, count))
        country = choose(rng.random(count), COUNTRY_WEIGHTS)
        refunded_after = np.where(rng.random(count) < REFUNDED_SHARE, rng.choice(REFUND_LAGS, count), 0)

        order = np.repeat(np.arange(count), 1 + (rng.random(count) < SECOND_LINE_SHARE))
        lines = len(order)
        is_first = np.diff(order, prepend=-1) > 0
        product = self.products.pick(rng, day, lines)
        price = self.products.price(product, at[order]) * PRICE_PERCENT // 100
        quantity = rng.geometric(QUANTITY_ONE_SHARE, lines)
        gross = quantity * price
        promotion = np.where(rng.random(lines) < PROMOTED_SHARE, gross * PROMOTION_PERCENT // 100, 0)
        item_total = gross - promotion
        return {
            "number": day * MAX_ORDERS + order,
            "item": np.where(is_first, 1, 2),
            "at": at[order],
            "posted_at": at[order],
            "type": np.full(lines, ORDER),
            "country": country[order],
            "product": product,
            "quantity": quantity,
            "price": price,
            "promotion": promotion,
            "item_total": item_total,
            "shipping": np.where(is_first, SHIPPING, 0),
            "tax": (item_total * TAX_RATES[country][order] + 5_000) // 10_000,
            "fees": (item_total * FEE_PERCENT + 50) // 100 + CLOSING_FEE,
            "refunded_after": refunded_after[order],
        }

    def _refunds(self, day: int, lag: int) -> Rows:
        """Returns the lines refunded on a day, of orders placed so many days before: whole orders, without shipping."""
        sold = self._lines(day - lag)
        back = take(sold, sold["refunded_after"] == lag)
        given_back = {name: -back[name] for name in ("item_total", "tax")}
        nothing: Ints = np.zeros_like(back["number"])
        return {
            **back,
            **given_back,
            "type": np.full_like(nothing, REFUND),
            "posted_at": back["at"] + lag * DAY,
            "shipping": nothing,
            "promotion": nothing,
            "fees": np.full_like(nothing, REFUND_FEE),
        }

    def settlement(self, day: int) -> pl.DataFrame:
        """Returns the report of a day, with the marketplace's column names: a row per line sold or refunded."""
        rows = concat([self._lines(day), *(self._refunds(day, lag) for lag in REFUND_LAGS)])
        return frame(
            {
                "transaction-id": numbered("T", rows["number"] * 10 + rows["type"], 12),
                "type": texts(TYPES, rows["type"]),
                "order-id": numbered("A", rows["number"], 12),
                "item-number": pl.Series(rows["item"]),
                "purchased-at": timestamps(rows["at"]),
                "posted-at": timestamps(rows["posted_at"]),
                "sku": product_ids(rows["product"]) + "-MP",
                "quantity": pl.Series(rows["quantity"]),
                "price": amounts(rows["price"]),
                "promotion": amounts(rows["promotion"]),
                "item-total": amounts(rows["item_total"]),
                "shipping": amounts(rows["shipping"]),
                "sales-tax": amounts(rows["tax"]),
                "buyer-total": amounts(rows["item_total"] + rows["shipping"] + rows["tax"]),
                "fees": amounts(rows["fees"]),
                "ship-to": texts(COUNTRY_NAMES, rows["country"]),
            }
        )
