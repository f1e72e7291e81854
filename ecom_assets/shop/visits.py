"""Visits: the events of people, and of a few robots, in the shop."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl

from ecom_assets.shop.customers import Customers, customer_ids
from ecom_assets.shop.draws import HOUR, Ints, below, choose, durations, generator, times_of_day, uniforms
from ecom_assets.shop.marketing import SOURCES, UTM_CAMPAIGNS, UTM_MEDIUMS, UTM_SOURCES, buyer_shares, visit_shares
from ecom_assets.shop.products import Products, product_ids
from ecom_assets.shop.rows import LAG_WEIGHTS, LAGS, Rows, amounts, frame, numbered, pool, take, texts, timestamps
from ecom_assets.shop.sales import Basket, order_ids
from ecom_assets.shop.timetable import Timetable

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
    "p": 0.366,
    "v": 0.15,
    "pp": 0.06,
    "pv": 0.09,
    "ps": 0.04,
    "psv": 0.06,
    "psvv": 0.04,
    "vv": 0.06,
    "pvsvv": 0.02,
    "va": 0.014,
    "vac": 0.02,
    "psvac": 0.01,
    "pvavarc": 0.007,
    "psvavack": 0.005,
    "vacki": 0.004,
    "vvvvvvvvvvvv": 0.01,
    "pspvpspvpspvpspv": 0.005,
}
"""Paths of visitors who do not buy, by share. The last two are those of robots."""
ROBOT_WAYS = 2
INTROS = ["", "p", "ps", "ppsp"]
MAX_LINES_SEEN = 12

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

LOGGED_IN_SHARE, LATE_LOGIN_SHARE, RECOVERED_SHARE = 0.25, 0.5, 0.12
STRANGERS = 30
"""Number of unknown devices per daily visit that does not buy."""
PAUSE, ROBOT_PAUSE, LONGEST_PAUSE = 45, 2, 20 * 60
"""Mean seconds between two events of a person and of a robot, and the maximum of each."""
MILLISECOND = 1_000
MAX_EVENTS = 10_000_000
"""Maximum events of a batch."""


@dataclass(frozen=True)
class Scripts:
    """All paths through the shop in sequence: event codes and the product of each."""

    codes: Ints
    slots: Ints
    starts: Ints
    lengths: Ints
    products: Ints


@cache
def scripts() -> Scripts:
    """Browsing scripts first, then, for each intro, purchases of 1 to MAX_LINES_SEEN lines."""
    bought = [intro + "va" * lines + "ckio" for intro in INTROS for lines in range(1, MAX_LINES_SEEN + 1)]
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
    """Returns the mean number of events of a visit that buys and of one that does not."""
    buying = sum(len(intro) for intro in INTROS) / len(INTROS) + 2 * lines + 4
    browsing = sum(len(script) * share for script, share in BROWSING.items()) / sum(BROWSING.values())
    return buying, browsing


@dataclass(frozen=True)
class Steps:
    """Returns the events of visits, visit by visit: the visit, the event code and the index among its products."""

    visit: Ints
    code: Ints
    slot: Ints
    first: Ints
    last: Ints


def _steps(way: Ints) -> Steps:
    script = scripts()
    length = script.lengths[way]
    visit = np.repeat(np.arange(len(way)), length)
    last = np.cumsum(length) - 1
    first = last - length + 1
    place = np.arange(len(visit)) - first[visit] + script.starts[way][visit]
    return Steps(visit, script.codes[place], script.slots[place], first, last)


@dataclass(frozen=True)
class Visits:
    """Visits of a day, in batches by how late they are sent.

    A device sends the events of a visit together: all of a batch arrive the same number of days late.
    """

    timetable: Timetable
    customers: Customers
    products: Products

    @property
    def seen_share(self) -> float:
        """Share of the orders whose visit is recorded."""
        scale = self.timetable.scale
        buying, browsing = _mean_lengths(scale.lines_per_order)
        per_purchase = buying + (1 / scale.conversion - 1) * browsing
        return min(scale.events_per_order / per_purchase, 1.0)

    def _browsers(self, day: int, place: int) -> Ints:
        """Returns the visits per source that do not buy, of those of the day sent with one lag."""
        scale = self.timetable.scale
        others = scale.orders_per_day * self.timetable.demand[day] * self.seen_share * (1 / scale.conversion - 1)
        rng = generator(self.timetable.seed, f"browsers {LAGS[place]}", day)
        browsers: Ints = rng.poisson(others * LAG_WEIGHTS[place] * visit_shares(day))
        return browsers

    def clicks(self, day: int) -> Ints:
        """Returns the visits per source that are reported for the day, those that are not recorded among them.

        All but the recorded visits that do not buy are an estimate.
        """
        browsers = np.sum([self._browsers(day, place) for place in range(len(LAGS))], axis=0)
        buyers = self.timetable.scale.orders_per_day * self.timetable.demand[day]
        unseen = buyers * (1 - self.seen_share) * (1 / self.timetable.scale.conversion - 1)
        others = buyers * buyer_shares(day) + unseen * visit_shares(day)
        clicks: Ints = browsers + generator(self.timetable.seed, "clicks of others", day).poisson(others)
        return clicks

    def batch(self, day: int, lag: int, basket: Basket) -> Rows:
        """Returns the events of visits that end with an order of the day, or begin on it, sent `lag` days late."""
        place = LAGS.index(lag)
        rng = generator(self.timetable.seed, f"visits {lag}", day)
        bought = self._seen_orders(basket, place)
        orders = take(basket.orders, bought)
        visits = self._visits(rng, day, place, orders)
        steps = _steps(visits["way"])
        visit, code = steps.visit, steps.code
        at = self._times(rng, visits, steps)

        viewed, wanted, slot_first = self._goods(rng, day, basket, orders, visits["way"])
        about = np.flatnonzero(steps.slot >= 0)
        goods = slot_first[visit[about]] + steps.slot[about]
        product, quantity, value, order = np.full((4, len(visit)), -1)
        product[about] = viewed[goods]
        quantity[about] = np.where(code[about] == VIEW, -1, wanted[goods])
        value[about] = self.products.price(viewed[goods], at[about])
        completed = np.flatnonzero(code == COMPLETED)
        value[completed] = orders["total"]
        order[completed] = orders["number"]

        number = (day * len(LAGS) + place) * MAX_EVENTS
        return {
            "event": number + np.arange(len(visit)),
            "at": at,
            "code": code,
            "visitor": visits["visitor"][visit],
            "customer": np.where(code >= visits["known_from"][visit], visits["customer"][visit], -1),
            "product": product,
            "order": order,
            "cart": np.where(code >= ADD, number + visit, -1),
            "quantity": quantity,
            "value": value,
            "device": visits["device"][visit],
            "agent": visits["agent"][visit],
            "source": visits["source"][visit],
        }

    def _seen_orders(self, basket: Basket, place: int) -> Ints:
        """Returns which orders of the day have a recorded visit that is sent with the given lag."""
        number = basket.orders["number"]
        is_seen = uniforms(self.timetable.seed, "seen order", number) < self.seen_share
        lag = choose(uniforms(self.timetable.seed, "visit lag", number), LAG_WEIGHTS)
        return np.flatnonzero(is_seen & (lag == place))

    def _visits(self, rng: np.random.Generator, day: int, place: int, orders: Rows) -> Rows:
        """Returns one row per visit: those that buy `orders` first, then those that do not buy.

        `anchor` is the end of a buyer's visit and the start of another's; `known_from` the first event code
        at which the customer is known.
        """
        seed, scale = self.timetable.seed, self.timetable.scale
        brought = self._browsers(day, place)
        buyers, browsers = len(orders["number"]), int(brought.sum())
        count = buyers + browsers
        is_buyer = np.arange(count) < buyers

        intro = rng.integers(0, len(INTROS), buyers)
        lines = np.minimum(orders["line_count"], MAX_LINES_SEEN)
        buying = len(BROWSING) + intro * MAX_LINES_SEEN + lines - 1
        way = np.concatenate([buying, choose(rng.random(browsers), list(BROWSING.values()))])
        is_robot = ~is_buyer & (way >= len(BROWSING) - ROBOT_WAYS)

        is_logged_in = (rng.random(browsers) < LOGGED_IN_SHARE) & ~is_robot[buyers:]
        regular = np.where(is_logged_in, self.customers.pick(rng, day, browsers), -1)
        customer = np.concatenate([orders["customer"], regular])
        a_day = scale.orders_per_day * self.timetable.demand[day] * self.seen_share / scale.conversion
        stranger = rng.integers(0, STRANGERS * max(int(a_day), 1), count)
        visitor = np.where(customer >= 0, 2 * customer + 1, 2 * stranger)

        device = np.where(is_robot, 0, choose(uniforms(seed, "device", visitor), DEVICE_WEIGHTS))
        agent = device * AGENTS_PER_DEVICE + below(seed, "agent", visitor, AGENTS_PER_DEVICE)
        of_browsers = rng.permutation(np.repeat(np.arange(len(SOURCES)), brought))
        source = np.concatenate([choose(rng.random(buyers), list(buyer_shares(day))), of_browsers])
        return {
            "way": way,
            "anchor": np.concatenate([orders["at"], self.timetable.begins(day) + times_of_day(rng, browsers)]),
            "is_buyer": is_buyer.astype(np.int64),
            "is_robot": is_robot.astype(np.int64),
            "customer": customer,
            "known_from": np.where(is_buyer & (rng.random(count) < LATE_LOGIN_SHARE), CHECKOUT, PAGE),
            "visitor": visitor,
            "device": device,
            "agent": np.where(is_robot, FIRST_ROBOT + rng.integers(0, len(ROBOTS), count), agent),
            "source": np.where(is_robot, 0, source),
        }

    def _times(self, rng: np.random.Generator, visits: Rows, steps: Steps) -> Ints:
        """Returns when each event happens. A few buyers leave their cart for hours before they return to it."""
        count, visit = len(visits["way"]), steps.visit
        is_buyer = visits["is_buyer"] == 1
        seconds = rng.exponential(np.where(visits["is_robot"] == 1, ROBOT_PAUSE, PAUSE)[visit])
        pause = MILLISECOND + (np.minimum(seconds, LONGEST_PAUSE) * 1_000).astype(np.int64) * MILLISECOND
        is_left = is_buyer & (rng.random(count) < RECOVERED_SHARE)
        left_for = np.where(is_left, durations(rng, 2 * HOUR, 11 * HOUR, count), 0)
        elapsed = np.cumsum(pause + np.where(steps.code == CART, left_for[visit], 0))
        zero = np.where(is_buyer, elapsed[steps.last], elapsed[steps.first])
        at: Ints = (visits["anchor"] - zero)[visit] + elapsed
        return at

    def _goods(
        self, rng: np.random.Generator, day: int, basket: Basket, orders: Rows, way: Ints
    ) -> tuple[Ints, Ints, Ints]:
        """Returns the products of visits, the quantity of each, and the offset of each visit's products."""
        slots = scripts().products[way]
        slot_first = np.cumsum(slots) - slots
        viewed = self.products.pick(rng, day, int(slots.sum()))
        wanted = rng.geometric(0.75, len(viewed))
        lines = slots[: len(orders["number"])]
        sold = np.arange(lines.sum()) + np.repeat(orders["first_line"] - slot_first[: len(lines)], lines)
        viewed[: len(sold)] = basket.lines["product"][sold]
        wanted[: len(sold)] = basket.lines["quantity"][sold]
        return viewed, wanted, slot_first


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
