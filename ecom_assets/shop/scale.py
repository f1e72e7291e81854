"""The scale of a synthetic shop.

A separate module, so that the command line knows the presets without the libraries that draw rows.

With its defaults, a shop has rates that are common among shops:

- 2 to 3 % of visits buy: 2.5 % in early 2014, 2.3 % in early 2015 (Monetate, Ecommerce Quarterly Q1 2015).
- About 70 % of carts are abandoned (Baymard Institute, Cart Abandonment Rate Statistics: a mean of 70.2 %).
- 8 to 15 % of sales come back: less than the 17.6 % of all online sales (National Retail Federation and Appriss Retail,
  Consumer Returns in the Retail Industry, 2023), of which clothes have the largest part.
- Sales are 4 to 8 times the cost of advertising, the marketing efficiency ratio: 3 to 6 is common.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Daily means of a shop. The numbers drawn follow a Poisson distribution around a calendar.

    `events_per_order` is all events of a day per order; since few visits buy (`conversion`), web analytics
    sees only a part of the visits, like in shops that ask for consent. What advertisers report counts all clicks.
    `days` limits the days with sales, and makes the numbers of customers, products, orders and lines exactly
    the daily mean times `days`. Later states of the last orders, and late rows, arrive up to `LONGEST_WAIT`
    (153) days after the last day.
    `one_payment_per_order` leaves out retries and refund payments; refunds are then only in returns.
    `quiet_days` are days, counted from 0, on which nobody visits, registers or buys.
    `slow_days` are days, counted from 0, on which only 40 % as many do, such as public holidays.
    `marketplace_share` is the marketplace's orders per order of the shop; it settles them itself.
    `dirty_share` is the share of rows that also arrive as a defective copy.
    `merged_share` is the share of customers that are merged into an older one, some of them only for some days.
    `stores` is the number of stores that take the orders; each numbers its own. The marketplace has none.
    `retracted_share` is the share of orders with a line too many, which is taken out a day later.
    `gift_card_share` is the share of products that are gift cards.
    With `tax_included`, prices include the tax.
    With `has_codes`, orders name their coupons, and events the lists and promotions that were seen or clicked.
    `foreign_share` is the share of orders in another currency; if it is above zero, rates arrive too.
    """

    orders_per_day: float = 250
    lines_per_order: float = 2.5
    events_per_order: float = 10
    conversion: float = 0.025
    customers_at_start: int = 6_000
    customers_per_day: float = 150
    products_at_start: int = 300
    products_per_day: float = 1
    days: int | None = None
    one_payment_per_order: bool = False
    quiet_days: tuple[int, ...] = ()
    slow_days: tuple[int, ...] = ()
    marketplace_share: float = 0.0
    dirty_share: float = 0.0
    merged_share: float = 0.0
    stores: int = 1
    retracted_share: float = 0.0
    gift_card_share: float = 0.0
    tax_included: bool = False
    has_codes: bool = False
    foreign_share: float = 0.0

    def __post_init__(self) -> None:
        if self.lines_per_order < 1:
            raise ValueError(f"lines_per_order must be at least 1, not {self.lines_per_order}.")
        if not 0 < self.conversion < 1:
            raise ValueError(f"conversion must be a share between 0 and 1, not {self.conversion}.")
        if self.days is not None and self.days < 1:
            raise ValueError(f"days must be at least 1, not {self.days}.")
        if self.stores < 1:
            raise ValueError(f"stores must be at least 1, not {self.stores}.")
        if self.customers_at_start < 1 or self.products_at_start < 1:
            raise ValueError("customers_at_start and products_at_start must be at least 1.")


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
    "varied": Scale(
        marketplace_share=0.08,
        dirty_share=0.002,
        merged_share=0.05,
        stores=2,
        retracted_share=0.02,
        gift_card_share=0.02,
        tax_included=True,
        has_codes=True,
    ),
}
