"""Visits: what people, and a few robots, do in the shop."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl

from ecom_assets.shop.customers import Customers, customer_ids
from ecom_assets.shop.draws import HOUR, Ints, below, choose, generator, times_of_day, uniforms
from ecom_assets.shop.products import Products, product_ids
from ecom_assets.shop.rows import (
    LAG_WEIGHTS,
    LAGS,
    Rows,
    amounts,
    frame,
    numbered,
    pool,
    texts,
    timestamps,
)
from ecom_assets.shop.sales import Basket, Sales, order_ids
from ecom_assets.shop.timetable import Timetable, is_campaign

EVENTS = {
    "p": "Page Viewed",
    "s": "Products Searched",
    "v": "Product Viewed",
    "a": "Product Added",
    "r": "Product Removed",
    "c": "Cart Viewed",
    "k": "Checkout Started",
    "i": "Payment Info Entered",
    "o": "Order Completed",
}
EVENT_NAMES = pool(list(EVENTS.values()))
PAGE, SEARCH, VIEW, ADD, REMOVE, CART, CHECKOUT, PAYMENT, COMPLETED = range(9)

BROWSING = {
    "p": 0.36,
    "v": 0.15,
    "pp": 0.06,
    "pv": 0.09,
    "ps": 0.04,
    "psv": 0.06,
    "psvv": 0.04,
    "vv": 0.06,
    "pvsvv": 0.02,
    "va": 0.02,
    "vac": 0.02,
    "psvac": 0.01,
    "pvavarc": 0.007,
    "psvavack": 0.005,
    "vacki": 0.004,
    "vvvvvvvvvvvv": 0.01,
    "pspvpspvpspvpspv": 0.005,
}
"""What visitors do who do not buy, by share. The last two are robots' ways."""
ROBOT_WAYS = 2
INTROS = ["", "p", "ps", "ppsp"]
MOST_LINES_SEEN = 12

DEVICES, DEVICE_WEIGHTS = pool(["desktop", "mobile", "tablet"]), [0.38, 0.55, 0.07]
_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_BLINK = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0"
_AGENTS = [
    [
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_BLINK} Safari/537.36",
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_BLINK} Safari/537.36",
    ],
    [
        f"Mozilla/5.0 (Linux; Android 10; K) {_BLINK} Mobile Safari/537.36",
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) {_WEBKIT} CriOS/{{}}.0 Mobile/15E148",
    ],
    [
        f"Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) {_WEBKIT} CriOS/{{}}.0 Mobile/15E148",
        f"Mozilla/5.0 (Linux; Android 13; SM-X906C) {_BLINK} Safari/537.36",
    ],
]
AGENTS_PER_DEVICE = 6
ROBOTS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
]
USER_AGENTS = pool(
    [agent.format(version) for agents in _AGENTS for version in (118, 119, 120) for agent in agents] + ROBOTS
)
FIRST_ROBOT = AGENTS_PER_DEVICE * len(_AGENTS)

CAMPAIGN = "birthday-week"
SOURCES = [
    (None, None, None, 0.34),
    ("google", "organic", None, 0.22),
    ("google", "cpc", "brand", 0.1),
    ("google", "cpc", "shopping", 0.08),
    ("facebook", "paid_social", "prospecting", 0.07),
    ("instagram", "paid_social", "retargeting", 0.06),
    ("newsletter", "email", "weekly", 0.08),
    ("partner", "affiliate", None, 0.05),
    ("newsletter", "email", CAMPAIGN, 0.0),
    ("facebook", "paid_social", CAMPAIGN, 0.0),
]
UTM_SOURCES, UTM_MEDIUMS, UTM_CAMPAIGNS = (
    pl.Series([*(source[part] for source in SOURCES), None], dtype=pl.String) for part in range(3)
)
SOURCE_WEIGHTS = [weight for *_, weight in SOURCES]
CAMPAIGN_SOURCE_WEIGHTS = [*SOURCE_WEIGHTS[:-2], 0.2, 0.15]

LOGGED_IN_SHARE, RECOVERED_SHARE = 0.25, 0.12
PAUSE = 45
LONGEST_PAUSE = 20 * 60
ROBOT_PAUSE = 2


@dataclass(frozen=True)
class Scripts:
    """All ways through the shop, one after the other: event codes and which product each is about."""

    codes: Ints
    slots: Ints
    starts: Ints
    lengths: Ints
    products: Ints


@cache
def scripts() -> Scripts:
    """Browsing scripts first, then, for each intro, purchases of 1 to MOST_LINES_SEEN lines."""
    bought = [intro + "va" * lines + "ckio" for intro in INTROS for lines in range(1, MOST_LINES_SEEN + 1)]
    every = [*BROWSING, *bought]
    letters = list(EVENTS)
    codes, slots = [], []
    for script in every:
        slot = -1
        for letter in script:
            slot += letter == "v"
            codes.append(letters.index(letter))
            slots.append(slot if letter in "var" else -1)
    lengths = np.array([len(script) for script in every])
    products = np.array([script.count("v") for script in every])
    return Scripts(np.array(codes), np.array(slots), np.cumsum(lengths) - lengths, lengths, products)


def _mean_lengths(lines: float) -> tuple[float, float]:
    """Mean number of events of a visit that buys and of one that does not."""
    buying = sum(len(intro) for intro in INTROS) / len(INTROS) + 2 * lines + 4
    browsing = sum(len(script) * share for script, share in BROWSING.items()) / sum(BROWSING.values())
    return buying, browsing


@dataclass(frozen=True)
class Visits:
    """The visits of a day, in batches by how late they are sent.

    A device sends the events of a visit together: all of a batch arrive the same number of days late.
    """

    timetable: Timetable
    customers: Customers
    products: Products
    sales: Sales

    @property
    def seen_share(self) -> float:
        """Share of the orders whose visit is recorded."""
        scale = self.timetable.scale
        buying, browsing = _mean_lengths(scale.lines_per_order)
        per_purchase = buying + (1 / scale.conversion - 1) * browsing
        return min(scale.events_per_order / per_purchase, 1.0)

    def batch(self, day: int, lag: int, basket: Basket) -> Rows:
        """The events of the visits that begin, or end with an order, on a day and are sent `lag` days late."""
        seed, scale = self.timetable.seed, self.timetable.scale
        place = LAGS.index(lag)
        rng = generator(seed, f"visits {lag}", day)
        script = scripts()
        number = basket.orders["number"]
        is_seen = uniforms(seed, "seen order", number) < self.seen_share
        order = np.flatnonzero(is_seen & (choose(uniforms(seed, "visit lag", number), LAG_WEIGHTS) == place))
        others = scale.orders_per_day * self.timetable.demand[day] * self.seen_share * (1 / scale.conversion - 1)
        buyers, browsers = len(order), int(rng.poisson(others * LAG_WEIGHTS[place]))
        visits = buyers + browsers

        lines = np.minimum(basket.orders["line_count"][order], MOST_LINES_SEEN)
        intro = rng.integers(0, len(INTROS), buyers)
        way = np.concatenate(
            [len(BROWSING) + intro * MOST_LINES_SEEN + lines - 1, choose(rng.random(browsers), list(BROWSING.values()))]
        )
        is_buyer = np.arange(visits) < buyers
        is_robot = ~is_buyer & (way >= len(BROWSING) - ROBOT_WAYS)

        regular = self.customers.pick(rng, day, browsers)
        regular = np.where((rng.random(browsers) < LOGGED_IN_SHARE) & ~is_robot[buyers:], regular, -1)
        customer = np.concatenate([basket.orders["customer"][order], regular])
        strangers = 30 * max(int(others), 1)
        visitor = np.where(customer >= 0, customer * 2 + 1, 2 * rng.integers(0, strangers, visits))
        device = choose(uniforms(seed, "device", visitor), DEVICE_WEIGHTS)
        device[is_robot] = 0
        agent = device * AGENTS_PER_DEVICE + below(seed, "agent", visitor, AGENTS_PER_DEVICE)
        agent[is_robot] = FIRST_ROBOT + rng.integers(0, len(ROBOTS), int(is_robot.sum()))
        source = choose(rng.random(visits), CAMPAIGN_SOURCE_WEIGHTS if is_campaign(day) else SOURCE_WEIGHTS)
        source[is_robot] = 0
        begins = np.concatenate([basket.orders["at"][order], self.timetable.begins(day) + times_of_day(rng, browsers)])

        length = script.lengths[way]
        events = int(length.sum())
        visit = np.repeat(np.arange(visits), length)
        first = np.cumsum(length) - length
        position = np.arange(events) - first[visit] + script.starts[way][visit]
        code, slot = script.codes[position], script.slots[position]

        pause = np.minimum(rng.exponential(np.where(is_robot, ROBOT_PAUSE, PAUSE)[visit]), LONGEST_PAUSE)
        pause = 1_000 * (1 + (1_000 * pause).astype(np.int64))
        recovered = np.zeros(visits, dtype=np.int64)
        recovered[:buyers] = np.where(
            rng.random(buyers) < RECOVERED_SHARE, rng.integers(2 * HOUR, 11 * HOUR, buyers), 0
        )
        pause += np.where(code == CART, recovered[visit], 0) // 1_000 * 1_000
        elapsed = np.cumsum(pause)
        since = elapsed - elapsed[first][visit]
        until = elapsed[(first + length - 1)][visit] - elapsed
        at = np.where(is_buyer[visit], begins[visit] - until, begins[visit] + since)

        slots = script.products[way]
        slot_first = np.cumsum(slots) - slots
        viewed = self.products.pick(rng, day, int(slots.sum()))
        wanted = rng.geometric(0.75, int(slots.sum()))
        sold = (
            np.repeat(basket.orders["first_line"][order], lines)
            + np.arange(lines.sum())
            - np.repeat(np.cumsum(lines) - lines, lines)
        )
        viewed[: len(sold)] = basket.lines["product"][sold]
        wanted[: len(sold)] = basket.lines["quantity"][sold]
        about = np.flatnonzero(slot >= 0)
        goods = slot_first[visit[about]] + slot[about]
        product, quantity, value = np.full((3, events), -1)
        product[about] = viewed[goods]
        value[about] = self.products.price(viewed[goods], at[about])
        quantity[about] = np.where(code[about] == VIEW, -1, wanted[goods])
        completed = np.flatnonzero(code == COMPLETED)
        value[completed] = basket.orders["total"][order]
        order_number = np.full(events, -1)
        order_number[completed] = number[order]

        stranger_until = np.where(is_buyer & (rng.random(visits) < 0.5), CHECKOUT, -1)
        identity = (day * len(LAGS) + place) * 10_000_000
        return {
            "event": identity + np.arange(events),
            "at": at,
            "code": code,
            "visitor": visitor[visit],
            "customer": np.where(code >= stranger_until[visit], customer[visit], -1),
            "product": product,
            "order": order_number,
            "cart": np.where(code >= ADD, identity + visit, -1),
            "quantity": quantity,
            "value": value,
            "device": device[visit],
            "agent": agent[visit],
            "source": source[visit],
        }


def events_frame(rows: Rows) -> pl.DataFrame:
    quantity = pl.Series(rows["quantity"])
    is_valued = pl.Series(rows["value"] >= 0)
    value = amounts(rows["value"]).to_frame("value").select(pl.when(is_valued).then("value")).to_series()
    return frame(
        {
            "event_id": numbered("E", rows["event"], 12),
            "occurred_at": timestamps(rows["at"]),
            "event": texts(EVENT_NAMES, rows["code"]),
            "anonymous_id": numbered("V", rows["visitor"], 8),
            "customer_id": customer_ids(rows["customer"]),
            "product_id": product_ids(rows["product"]),
            "order_id": order_ids(rows["order"]),
            "cart_id": numbered("B", rows["cart"], 12),
            "quantity": quantity.to_frame("quantity").select(pl.when(quantity >= 0).then("quantity")).to_series(),
            "value": value,
            "device": texts(DEVICES, rows["device"]),
            "user_agent": texts(USER_AGENTS, rows["agent"]),
            "utm_source": texts(UTM_SOURCES, rows["source"]),
            "utm_medium": texts(UTM_MEDIUMS, rows["source"]),
            "utm_campaign": texts(UTM_CAMPAIGNS, rows["source"]),
        }
    )
