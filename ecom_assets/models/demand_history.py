"""What is known of demand at a cut-off, as arrays: weeks that end with the cut-off, by product.

Days without stock tell nothing of demand. A week with stock on days that bring at least `LEAST_SHARE` of a week's sales
counts with its sales by that share; any other week is not known. Days without a row have no sales; where the shop sends
no stock, all days count.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from ecom_assets.models.fitting import Floats
from ecom_assets.models.smoothing import Integers

WEEK = 7
MOST_WEEKS = 156
"""Weeks before the cut-off that count."""
LEAST_SHARE = 0.5
NO_CATEGORY = "(none)"
"""In place of the category of products without one: what it has in common says nothing of its products."""
_WEEKS_OF_PROFILE = 8
_OWN_WEEKDAYS = 50
"""Days of a product with sales, after which the weekdays of a category count as much as those of the shop."""


@dataclass(frozen=True)
class DemandHistory:
    """Demand of products, sorted by their number, in whole weeks up to the cut-off, which is their last day."""

    cut_off: dt.date
    products: pl.DataFrame
    """Columns: `product_id`, `category`, `weeks_listed` (null if unknown), `last_sold_on` (null without sales)."""
    categories: list[str]
    of_category: Integers
    """The place of each product's category in `categories`."""
    weeks: Floats
    """Units by product and week, NaN where demand is not known."""
    weekdays: Floats
    """Share of a week's sales by category and days after the cut-off, 0 for the first."""
    _days: pl.DataFrame
    """Rows of the last weeks: `product`, `ago` (days before the cut-off), `units`, `is_out`."""

    @classmethod
    def of(cls, sales: pl.DataFrame, products: pl.DataFrame, cut_off: dt.date) -> Self:
        """Returns what is known at the end of a day.

        `sales` has `product_id`, `day`, `units` and `in_stock` (null if unknown), one row per product and day; later
        days are left out. `products` has `product_id`, `category` (null if unknown) and `listed_on` (null if unknown);
        products listed later are left out, unless they have sales. Products that only sales name have no category.
        """
        known = sales.filter(pl.col("day") <= cut_off).with_columns(pl.col("units").cast(pl.Float64).fill_null(0.0))
        catalogue = _catalogue(known, products, cut_off)
        days = known.join(catalogue.select("product_id").with_row_index("product"), on="product_id").select(
            pl.col("product").cast(pl.Int64),
            ago=(pl.lit(cut_off) - pl.col("day")).dt.total_days(),
            units=pl.col("units").clip(lower_bound=0),
            is_out=~pl.col("in_stock").cast(pl.Boolean).fill_null(value=True),
        )
        oldest = int(days.select(pl.col("ago").max()).item() or 0)
        length = min(max((oldest + 1) // WEEK, 1), MOST_WEEKS)
        days = days.filter(pl.col("ago") < length * WEEK).sort("product", "ago")
        categories = catalogue["category"].unique().sort().to_list()
        of_category = np.searchsorted(np.array(categories, dtype=str), catalogue["category"].to_numpy().astype(str))
        weekdays = _weekdays(days, of_category, len(categories))
        weeks = _weeks(days, of_category, weekdays, length)
        return cls(cut_off, catalogue, categories, of_category.astype(np.int64), weeks, weekdays, days)

    def days_of_week(self, back: int) -> Floats:
        """Returns units by product and day, (products, 7), of the week that ends so many weeks before the cut-off.

        The first day comes first; days without stock are NaN.
        """
        found = np.zeros((len(self.products), WEEK))
        rows = self._days.filter(pl.col("ago") // WEEK == back)
        place = rows["product"].to_numpy(), WEEK - 1 - (rows["ago"] % WEEK).to_numpy()
        np.add.at(found, place, np.where(rows["is_out"].to_numpy(), np.nan, rows["units"].to_numpy()))
        return found


def _catalogue(sales: pl.DataFrame, products: pl.DataFrame, cut_off: dt.date) -> pl.DataFrame:
    """All products known, with the weeks since they were listed and the day on which they last sold."""
    sold = (
        sales.with_columns(sold_on=pl.when(pl.col("units") > 0).then("day"))
        .group_by("product_id")
        .agg(last_sold_on=pl.col("sold_on").max(), first_sold_on=pl.col("sold_on").min())
    )
    listed = products.select("product_id", "category", "listed_on").join(
        sold, on="product_id", how="full", coalesce=True
    )
    since = pl.min_horizontal("listed_on", "first_sold_on")
    return (
        listed.filter((since <= cut_off) | since.is_null())
        .select(
            "product_id",
            pl.col("category").fill_null(NO_CATEGORY),
            weeks_listed=((pl.lit(cut_off) - since).dt.total_days() + 1) // WEEK,
            last_sold_on="last_sold_on",
        )
        .sort("product_id")
    )


def _weekdays(days: pl.DataFrame, of_category: Integers, categories: int) -> Floats:
    """Shares of days of the week in recent sales, of each category: those of the shop until it has sales enough."""
    has_gaps = pl.col("is_out").any().over("product", pl.col("ago") // WEEK)
    recent = days.filter((pl.col("ago") < _WEEKS_OF_PROFILE * WEEK) & ~has_gaps & (pl.col("units") > 0))
    category = of_category[recent["product"].to_numpy()]
    # Days after the cut-off: 0 is the day after it, on which also the day 6 before it fell.
    after = WEEK - 1 - (recent["ago"] % WEEK).to_numpy()
    sums = np.zeros((categories, WEEK))
    np.add.at(sums, (category, after), recent["units"].to_numpy())
    shop = sums.sum(axis=0)
    shop = shop / shop.sum() if shop.sum() else np.full(WEEK, 1 / WEEK)
    totals = sums.sum(axis=1, keepdims=True)
    own = np.divide(sums, totals, out=np.tile(shop, (categories, 1)), where=totals > 0)
    rows = np.bincount(category, minlength=categories)[:, None]
    return np.asarray((rows * own + _OWN_WEEKDAYS * shop) / (rows + _OWN_WEEKDAYS))


def _weeks(days: pl.DataFrame, of_category: Integers, weekdays: Floats, length: int) -> Floats:
    """Units of weeks, those of weeks partly without stock by the share of the week that is known."""
    product, is_out = days["product"].to_numpy(), days["is_out"].to_numpy()
    week = length - 1 - (days["ago"] // WEEK).to_numpy()
    share = weekdays[of_category[product], WEEK - 1 - (days["ago"] % WEEK).to_numpy()]
    units, missing = np.zeros((len(of_category), length)), np.zeros((len(of_category), length))
    np.add.at(units, (product, week), np.where(is_out, 0.0, days["units"].to_numpy()))
    np.add.at(missing, (product, week), np.where(is_out, share, 0.0))
    known = 1 - missing
    scaled: Floats = np.where(known >= LEAST_SHARE, units / np.maximum(known, LEAST_SHARE), np.nan)
    return scaled
