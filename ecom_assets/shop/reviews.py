"""Reviews of products by their buyers."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from ecom_assets.shop.customers import customer_ids
from ecom_assets.shop.draws import DAY, HOUR, durations, generator, uniforms
from ecom_assets.shop.products import product_ids
from ecom_assets.shop.rows import Rows, frame, numbered, pool, send, take, texts, timestamps
from ecom_assets.shop.sales import KEPT, Basket, Course, order_ids
from ecom_assets.shop.timetable import Timetable

REVIEW_SHARE = 0.06
QUALITY_MEAN, QUALITY_SPREAD, TASTE, LATE_LOSS = 4.3, 1.2, 0.9, 1.0
TITLES = pool(["Do not buy", "Disappointing", "It does", "Good", "Excellent"])
TEXTS = pool(
    [
        "Broke on the first day.",
        "Not what I had expected.",
        "Does what it should, no more.",
        "Good value, would buy again.",
        "Exactly as described, and quick.",
    ]
)
SILENT_SHARE = 0.4
"""Share of the reviews with stars but no text."""


@dataclass(frozen=True)
class Reviews:
    """Reviews of some delivered lines. Products differ in quality, and late parcels cost a star."""

    timetable: Timetable

    def rows(self, day: int, basket: Basket, course: Course) -> Rows:
        """Returns the reviews of goods ordered on a day, with their arrival days."""
        rng = generator(self.timetable.seed, "reviews", day)
        order, count = basket.lines["order"], len(basket.lines["order"])
        is_written = (basket.orders["fate"][order] == KEPT) & (rng.random(count) < REVIEW_SHARE)
        product = basket.lines["product"]
        quality = QUALITY_MEAN - QUALITY_SPREAD * uniforms(self.timetable.seed, "quality", product) ** 2
        waited = course.shipped_at - basket.orders["at"] > 3 * DAY
        liked = quality - LATE_LOSS * waited[order] + TASTE * rng.standard_normal(count)
        rating = np.clip(np.rint(liked), 1, 5).astype(np.int64)
        reviews = take(
            {
                "number": basket.orders["number"][order],
                "line_number": basket.lines["line_number"],
                "product": product,
                "customer": basket.orders["customer"][order],
                "at": course.delivered_at[order] + durations(rng, 12 * HOUR, 5 * DAY, count),
                "rating": rating,
                "words": np.where(rng.random(count) < SILENT_SHARE, -1, rating - 1),
            },
            is_written,
        )
        return send(rng, reviews, reviews["at"])


def reviews_frame(rows: Rows) -> pl.DataFrame:
    return frame(
        {
            "review_id": numbered("W", rows["number"] * 100 + rows["line_number"], 12),
            "product_id": product_ids(rows["product"]),
            "customer_id": customer_ids(rows["customer"]),
            "order_id": order_ids(rows["number"]),
            "reviewed_at": timestamps(rows["at"]),
            "rating": pl.Series(rows["rating"]),
            "title": texts(TITLES, rows["words"]),
            "text": texts(TEXTS, rows["words"]),
        }
    )
