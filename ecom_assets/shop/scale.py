"""How large a synthetic shop is.

Stands beside the shop, so that the command line knows the presets without the libraries that draw rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Daily means of a shop. The numbers drawn are Poisson around a calendar.

    `events_per_order` counts all events of a day against its orders; as few visits in a hundred buy
    (`conversion`), web analytics sees a part of the orders only, as in shops that ask for consent.
    `days` makes the shop sell on that many days only, and then the numbers of customers, products,
    orders and lines are exactly the daily mean times `days`. What follows from the last orders, and what is
    late, arrives up to `LONGEST_WAIT` (63) days after the last day.
    `one_payment_per_order` leaves out retries and refund payments; refunds then stand in returns alone.
    `quiet_days` are days, counted from 0, on which nobody visits, registers or buys.
    `marketplace_share` adds the orders that a marketplace sells, as a share of the shop's own; it settles by itself.
    `dirty_share` is the share of rows that arrive once more, spoiled.
    """

    orders_per_day: float = 250
    lines_per_order: float = 2.5
    events_per_order: float = 10
    conversion: float = 0.05
    customers_at_start: int = 1_500
    customers_per_day: float = 25
    products_at_start: int = 300
    products_per_day: float = 1
    days: int | None = None
    one_payment_per_order: bool = False
    quiet_days: tuple[int, ...] = ()
    marketplace_share: float = 0.0
    dirty_share: float = 0.0

    def __post_init__(self) -> None:
        if self.lines_per_order < 1:
            raise ValueError(f"An order has a line at least; lines_per_order is {self.lines_per_order}.")
        if not 0 < self.conversion < 1:
            raise ValueError(f"conversion is a share between 0 and 1, not {self.conversion}.")
        if self.days is not None and self.days < 1:
            raise ValueError(f"A shop sells on one day at least; days is {self.days}.")
        if self.customers_at_start < 1 or self.products_at_start < 1:
            raise ValueError("A shop opens with one of customers_at_start and products_at_start at least.")


DEFAULT_PRESET = "demo"
PRESETS: Mapping[str, Scale] = {
    DEFAULT_PRESET: Scale(marketplace_share=0.08, dirty_share=0.002),
    "seed003": Scale(
        orders_per_day=4_000 / 60,
        customers_at_start=1_400,
        customers_per_day=600 / 60,
        products_at_start=540,
        products_per_day=60 / 60,
        days=60,
        one_payment_per_order=True,
    ),
}
