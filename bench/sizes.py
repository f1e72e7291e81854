"""The sizes of the measurements."""

import dataclasses
import datetime as dt
import math
from dataclasses import dataclass

from ecom_assets.days import ONE_DAY, Window
from ecom_assets.shop.scale import PRESETS, Scale

DEMO = PRESETS["demo"]
YEAR = Scale(
    orders_per_day=2_740,
    lines_per_order=3,
    events_per_order=10,
    customers_at_start=20_000,
    customers_per_day=270,
    products_at_start=3_000,
    products_per_day=5,
    dirty_share=0.002,
)
LARGE = Scale(
    orders_per_day=10_000,
    lines_per_order=2.5,
    events_per_order=10,
    customers_at_start=60_000,
    customers_per_day=1_000,
    products_at_start=10_000,
    products_per_day=10,
    dirty_share=0.002,
)
SMALL = Scale(
    orders_per_day=10, customers_at_start=60, customers_per_day=2, products_at_start=50, products_per_day=0.05
)
_A_DAY = (
    "orders_per_day",
    "customers_per_day",
    "products_per_day",
    "customers_at_start",
    "products_at_start",
)


@dataclass(frozen=True)
class Size:
    """A shop with a scale, over a number of days."""

    days: int
    shop: Scale

    def scaled(self, scale: float) -> "Size":
        """Returns a smaller size: the number of days and of rows per day each shrink by the square root of `scale`.

        So does the share of bad rows: one of them among few rows fails a day.
        """
        root = math.sqrt(scale)
        smaller = {
            name: max(type(value)(value * root), 1)
            for name, value in dataclasses.asdict(self.shop).items()
            if name in _A_DAY
        }
        shop = dataclasses.replace(self.shop, **smaller, dirty_share=self.shop.dirty_share * root)
        return Size(max(round(self.days * root), 2), shop)

    def __str__(self) -> str:
        return f"{self.days:,} days of {self.shop.orders_per_day:,.0f} orders"


def window(last: dt.date, days: int) -> Window:
    """Returns the window of that many days up to the last one."""
    return Window(last - (days - 1) * ONE_DAY, last)
