"""The truth about the shop, which its feeds do not contain: the reference for measuring models.

No pipeline reads it. Each of these is a frame per day:

- `channels`: each source's share in the day's visits and in those that buy, and its lift: how many times as likely a
  visit is to buy as one with lift 1.
- `orders`: whether an order placed on the day is a fraud, by which pattern (see `ecom_assets.shop.frauds`), and when it
  will be charged back; null if it will not.
- `customers`: of each customer who registers on the day, or had before at the opening: the rate at which they buy after
  the first order, how many lines more than one their orders have, relative to others, the day of the first order, null
  if there is none, the day from which they buy no more, null if it is far off, and the category that they like best.
- `products`: how many units of each product are expected to be sold on the day, by season, launches, ends and tastes,
  also where stock is out: such orders wait.
- `days`: the orders expected on the day of customers who have bought before, and the sum of the rates of those who have
  not left. Such a customer is expected to place `expected_repeats` times their rate over `rates` orders on the day.

`Shop.defects` returns the planted defects of rows, by arrival day.
"""

from datetime import date

import numpy as np
import polars as pl

from ecom_assets.shop import frauds
from ecom_assets.shop.customers import Customers, customer_ids
from ecom_assets.shop.draws import DAY, Floats, Ints
from ecom_assets.shop.marketing import SOURCES, UTM_CAMPAIGNS, UTM_MEDIUMS, UTM_SOURCES, buyer_shares, visit_shares
from ecom_assets.shop.products import CATEGORIES, CATEGORY_NAMES, Products, product_ids
from ecom_assets.shop.rows import days_of, frame, texts
from ecom_assets.shop.sales import GUEST_SHARE, UNITS_PER_LINE, Basket, order_ids
from ecom_assets.shop.tastes import Tastes
from ecom_assets.shop.timetable import Timetable

FAR_OFF = 100 * 365


def truth(
    day: date, number: int, table: Timetable, customers: Customers, products: Products, basket: Basket
) -> dict[str, pl.DataFrame]:
    """Returns the truth about a day, by kind. `number` counts the day from the start."""
    orders = table.scale.orders_per_day * table.demand[number]
    units = orders * table.scale.lines_per_order * UNITS_PER_LINE
    registered = np.arange(table.customers[number] if number else 0, table.customers[number + 1])
    listed, tastes = np.arange(products.known(number)), Tastes(products)
    return {
        "channels": channels(number),
        "orders": frame(
            {
                "order_id": order_ids(basket.orders["number"]),
                "is_fraud": pl.Series(basket.orders["pattern"] != frauds.NONE),
                "pattern": texts(frauds.NAMES, basket.orders["pattern"]),
                "charged_back_on": days_of(basket.orders["charged_back_at"] // DAY),
            }
        ),
        "customers": frame(
            {
                "customer_id": customer_ids(registered),
                "rate": pl.Series(customers.rate[registered]),
                "spend": pl.Series(customers.spend[registered]),
                "first_on": _dates(table, customers.first_on[registered]),
                "leaves_on": _dates(table, customers.leaves_on[registered]),
                "favourite": texts(CATEGORY_NAMES, tastes.favourite(registered)),
            }
        ),
        "products": frame(
            {
                "product_id": product_ids(listed),
                "expected_units": pl.Series(
                    units * tastes.shares(number, _favourites(number, orders, table, customers, tastes))
                ),
            }
        ),
        "days": pl.DataFrame(
            {
                "day": [day],
                "expected_repeats": [max(orders * (1 - GUEST_SHARE) - len(customers.newcomers(number)), 0.0)],
                "rates": [customers.rates(number).sum()],
            }
        ),
    }


def _favourites(number: int, orders: float, table: Timetable, customers: Customers, tastes: Tastes) -> Floats:
    """Returns which share of a day's lines is of customers who like each category best."""
    rates, newcomers = customers.rates(number), customers.newcomers(number)

    def lines(of: Ints) -> Floats:
        per_customer: Floats = 1 + (table.scale.lines_per_order - 1) * customers.spend[of]
        return per_customer

    known = np.arange(len(rates))
    repeats = max(orders - len(newcomers), 0.0) * rates / rates.sum() * lines(known)
    who, count = np.concatenate([known, newcomers]), np.concatenate([repeats, lines(newcomers)])
    found = np.bincount(tastes.favourite(who), count, minlength=len(CATEGORIES)).astype(np.float64)
    return np.asarray(found / max(found.sum(), np.finfo(float).tiny))


def _dates(table: Timetable, numbers: Ints) -> pl.Series:
    """Returns days counted from the start as dates; null for those a century away."""
    return days_of(np.where(numbers < FAR_OFF, table.begins(0) // DAY + numbers, -1))


def channels(number: int) -> pl.DataFrame:
    """Returns the sources of the day's visits and their true effects."""
    places = np.arange(len(SOURCES))
    return frame(
        {
            "utm_source": texts(UTM_SOURCES, places),
            "utm_medium": texts(UTM_MEDIUMS, places),
            "utm_campaign": texts(UTM_CAMPAIGNS, places),
            "visit_share": pl.Series(visit_shares(number)),
            "buyer_share": pl.Series(buyer_shares(number)),
            "lift": pl.Series([source.lift for source in SOURCES]),
        }
    )
