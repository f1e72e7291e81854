"""What is measured of each feed and day, and what days before lead to expect of it."""

import narwhals as nw

ROWS = "rows"
AMOUNT = "median amount"
MEAN = "limited mean amount"
"""The geometric mean, with the lowest and the highest quarter counted as the amounts at which they begin."""
AMOUNTS = [AMOUNT, MEAN]
HOUR = "median hour"
LATEST = "hour of the last twentieth"
DELAY = "median hours since the order"
MEASURES = [ROWS, *AMOUNTS, HOUR, LATEST, DELAY]
IN_HOURS = [HOUR, LATEST, DELAY]
ALL = "(all)"
"""In place of a category: all rows of the feed."""
NONE = "(none)"
"""The category of rows without one."""
CAMPAIGNS = "campaigns"
"""In place of a feed: the number of campaigns with an end that run on the day."""
OF_ORDERS = ["order_items", "payments", "shipments"]
"""Feeds that have few rows on a day without orders."""
TOGETHER = ["orders", *OF_ORDERS, "events"]
"""Feeds whose numbers of rows rise and fall together, with the shop's customers."""
DECIMALS = 6


def rounded(value: nw.Expr) -> nw.Expr:
    """Returns the number with few decimals: the last ones differ between engines."""
    return value.round(DECIMALS)
