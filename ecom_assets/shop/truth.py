"""The truth about the shop, which its feeds do not contain: the reference for measuring models.

No pipeline reads it. Each of these is a frame per day:

- `channels`: each source's share in the day's visits and in those that buy, and its lift: how many times as likely a
  visit is to buy as one with lift 1.
- `orders`: whether an order placed on the day is a fraud.
- `customers`: the weight of each customer who registers on the day, and of all who had before at the opening.
- `products`: how many units of each product are expected to be sold on the day.
- `days`: orders expected on the day, and the sum of the weights of the customers who may place them. A customer is
  expected to place `expected_orders` times their weight over `customer_weights` orders on a day, without guest orders.

`Shop.defects` returns the planted defects of rows, by arrival day.
"""

from datetime import date

import numpy as np
import polars as pl

from ecom_assets.shop.customers import Customers, customer_ids
from ecom_assets.shop.marketing import SOURCES, UTM_CAMPAIGNS, UTM_MEDIUMS, UTM_SOURCES, buyer_shares, visit_shares
from ecom_assets.shop.products import Products, product_ids
from ecom_assets.shop.rows import frame, texts
from ecom_assets.shop.sales import FATES, GUEST_SHARE, UNITS_PER_LINE, Basket, order_ids
from ecom_assets.shop.timetable import Timetable


def truth(
    day: date, number: int, table: Timetable, customers: Customers, products: Products, basket: Basket
) -> dict[str, pl.DataFrame]:
    """Returns the truth about a day, by kind. `number` counts the day from the start."""
    orders = table.scale.orders_per_day * table.demand[number]
    units = orders * table.scale.lines_per_order * UNITS_PER_LINE
    registered = np.arange(table.customers[number] if number else 0, table.customers[number + 1])
    listed = np.arange(products.known(number))
    return {
        "channels": channels(number),
        "orders": frame(
            {
                "order_id": order_ids(basket.orders["number"]),
                "is_fraud": pl.Series(basket.orders["fate"] == FATES.index("fraud")),
            }
        ),
        "customers": frame(
            {"customer_id": customer_ids(registered), "weight": pl.Series(customers.weights(registered))}
        ),
        "products": frame(
            {
                "product_id": product_ids(listed),
                "expected_units": pl.Series(units * products.weights(listed) / products.weights(listed).sum()),
            }
        ),
        "days": pl.DataFrame(
            {
                "day": [day],
                "expected_orders": [orders * (1 - GUEST_SHARE)],
                "customer_weights": [customers.weights(np.arange(customers.known(number))).sum()],
            }
        ),
    }


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
