"""The shop's customers: a growing base whose profiles change, and who buy for a while.

Customers buy and leave as in the Pareto/NBD model (Schmittlein, Morrison and Colombo 1987, Counting Your Customers,
Management Science 33): after the first order each buys at random moments at a rate of their own until they leave, after
a lifetime of their own. The rate is Gamma distributed among customers with shape 1/2, as half the square of a standard
normal is; the published fit for CDNOW has 0.55 (Fader and Hardie 2005, A Note on Deriving the Pareto/NBD Model). The
lifetime has a Pareto distribution of the second kind: exponential, with a Gamma distributed rate. Covariates (Fader and
Hardie 2007, Incorporating Time-Invariant Covariates) are the consent to marketing given with the registration, which
raises the rate, and a registration in a campaign week, which shortens the lifetime.

How many orders a day has is given, so that rates are relative: each order after the first is of a customer who has not
left, drawn with their rates as weights. That is how independent Poisson processes are distributed, given their sum.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import polars as pl

from ecom_assets.shop.changes import Changes
from ecom_assets.shop.draws import (
    DAY,
    SECOND,
    Floats,
    Ints,
    below,
    choose,
    generator,
    normals,
    pick,
    uniforms,
)
from ecom_assets.shop.names import CITIES, COUNTRIES, COUNTRY_WEIGHTS, FIRST_NAMES, LAST_NAMES, names
from ecom_assets.shop.rows import Rows, concat, frame, numbered, pool, send, take, texts, timestamps
from ecom_assets.shop.timetable import CAMPAIGN_DAYS, Timetable

COUNTRY_NAMES = pool(list(COUNTRIES))
MAIL_HOSTS = pool(["example.com", "example.net", "example.org"])
CONSENT_SHARE = 0.6
CONSENT_LIFT, CAMPAIGN_STAY = 1.5, 0.5
"""Factors of the rate of customers who consented to marketing, and of the lifetime of those whom a campaign brought."""
LIFETIME_SHAPE, LIFETIME_DAYS = 0.6, 60
"""Shape and scale of the lifetimes' Pareto distribution."""
SPEND_SIGMA = 0.6
"""Spread, on a log scale, of the number of further lines in customers' orders."""
TO_FIRST_ORDER, LONGEST_TO_FIRST_ORDER, BUYER_SHARE = 3.0, 30, 0.85
"""Mean and most days by which a first order is later than it could be, and share of the customers who place one."""
NEVER = 2**31
UNTIL_KNOWN = 2
"""Days from a registration until the customer can order: an order can be moved to the day before."""
LATEST = 500
DAYS_KEPT = 8
PARTED_SHARE = 0.1
"""Share of the merged customers whose merge is undone."""


def customer_ids(numbers: Ints) -> pl.Series:
    return numbered("C", numbers, 8)


@dataclass(frozen=True)
class Customers:
    """Customers are numbered in the order in which they registered."""

    timetable: Timetable

    @property
    def seed(self) -> int:
        return self.timetable.seed

    @cached_property
    def _changes(self) -> Changes:
        return Changes(self.seed, "profile", periods=(180, 365, 730))

    @cached_property
    def _everyone(self) -> Ints:
        return np.arange(self.timetable.customers[-1])

    @cached_property
    def rate(self) -> Floats:
        """Returns how often each customer buys after the first order, relative to others."""
        lift = np.where(self._consents(self._everyone), CONSENT_LIFT, 1.0)
        rates: Floats = lift * normals(self.seed, "rate", self._everyone) ** 2 / 2
        return rates

    @cached_property
    def spend(self) -> Floats:
        """Returns how many lines more than one each customer's orders have, relative to others. The mean is 1."""
        factors: Floats = np.exp(SPEND_SIGMA * normals(self.seed, "spend", self._everyone) - SPEND_SIGMA**2 / 2)
        return factors

    @cached_property
    def first_on(self) -> Ints:
        """Returns the day of each customer's first order, counted from the start; `NEVER` if they only register."""
        customer = self._everyone
        wait = -TO_FIRST_ORDER * np.log1p(-uniforms(self.seed, "first order", customer))
        later = np.minimum(wait.astype(np.int64), LONGEST_TO_FIRST_ORDER)
        buys = (uniforms(self.seed, "buyer", customer) < BUYER_SHARE) | (customer < self.timetable.customers[0])
        return np.where(buys, self._registered_on + UNTIL_KNOWN + later, NEVER)

    @cached_property
    def leaves_on(self) -> Ints:
        """Returns the day from which each customer no longer buys, counted from the start."""
        is_brought = np.isin(self._registered_on % 365, CAMPAIGN_DAYS) & (self._registered_on >= 0)
        stay = np.where(is_brought, CAMPAIGN_STAY, 1.0)
        left = (1 - uniforms(self.seed, "lifetime", self._everyone)) ** (-1 / LIFETIME_SHAPE) - 1
        days = np.minimum(np.ceil(LIFETIME_DAYS * stay * left), NEVER).astype(np.int64)
        return np.minimum(self.first_on + np.maximum(days, 1), NEVER)

    @cached_property
    def _registered_on(self) -> Ints:
        registered_at = self._registered_at(self._everyone, self._born_at(self._everyone))
        return (registered_at - self.timetable.begins(0)) // DAY

    def known(self, day: int) -> int:
        """Returns the number of customers registered before the previous day, and at the start."""
        return int(self.timetable.customers[max(day - UNTIL_KNOWN + 1, 0)])

    def newcomers(self, day: int) -> Ints:
        """Returns the customers whose first order is on the day, or later if the day has fewer orders than these."""
        longest = UNTIL_KNOWN + LONGEST_TO_FIRST_ORDER
        first = self.timetable.customers[day - longest] if day > longest else 0
        newcomers: Ints = first + np.flatnonzero(self.first_on[first : self.known(day)] == day)
        return newcomers

    def rates(self, day: int) -> Floats:
        """Returns the rates of the known customers, zero for those who have not bought yet or have left.

        If that is everybody, all have the same rate.
        """
        known = slice(self.known(day))
        stays = (self.first_on[known] < day) & (self.leaves_on[known] > day)
        return np.where(stays, self.rate[known], 0.0) if stays.any() else np.ones(len(stays))

    def pick(self, rng: np.random.Generator, day: int, count: int) -> Ints:
        """Returns customers who come on the day, drawn by their rates; a few buy much more than most."""
        running = self._running(day)
        return pick(rng, running, len(running), count)

    @cached_property
    def _running(self) -> Callable[[int], Floats]:
        return lru_cache(DAYS_KEPT)(lambda day: np.cumsum(self.rates(day)))

    def buyers(self, rng: np.random.Generator, day: int, is_open: np.ndarray) -> Ints:
        """Returns the customers of a day's orders: the newcomers, in random places open to them, and others."""
        buyers = self.pick(rng, day, len(is_open))
        newcomers, places = self.newcomers(day), rng.permutation(np.flatnonzero(is_open))
        first = min(len(newcomers), len(places))
        buyers[places[:first]] = newcomers[:first]
        return buyers

    def new_accounts(self, rng: np.random.Generator, day: int, count: int) -> Ints:
        """Returns customers of the latest `LATEST` who never buy in their own name, drawn anew; -1 without any."""
        known = self.known(day)
        latest = np.arange(max(known - LATEST, 0), known)
        idle = latest[self.first_on[latest] == NEVER]
        return rng.choice(idle, count) if len(idle) else np.full(count, -1)

    def _consents(self, customer: Ints) -> np.ndarray:
        """Returns whether each customer consented to marketing with the registration."""
        return uniforms(self.seed, "consent", customer) < CONSENT_SHARE

    def country(self, customer: Ints) -> Ints:
        return choose(uniforms(self.seed, "customer country", customer), COUNTRY_WEIGHTS)

    def _born_at(self, customer: Ints) -> Ints:
        """Returns the moment of a customer's first row: the opening, or the registration."""
        day = np.searchsorted(self.timetable.customers, customer, side="right") - 1
        time = below(self.seed, "registration time", customer, 86_400) * SECOND
        return np.where(day < 0, 0, day * DAY + time) + self.timetable.begins(0)

    def _registered_at(self, customer: Ints, born_at: Ints) -> Ints:
        before = (1 + below(self.seed, "registered before", customer, 3 * 365 * 86_400)) * SECOND
        return np.where(customer < self.timetable.customers[0], born_at - before, born_at)

    def rows(self, day: int) -> Rows:
        """Returns the profiles created or changed on the day."""
        begins = self.timetable.begins(day)
        registered = self.timetable.customers
        new = np.arange(registered[day] if day else 0, registered[day + 1])
        made = {"customer": new, "at": self._born_at(new), "version": np.zeros_like(new)}
        edited = self._changes.rows("customer", int(registered[day]) if day else 0, self._born_at, begins)
        rows = concat([made, edited])
        rows = take(rows, np.argsort(rows["at"], kind="stable"))
        return send(generator(self.seed, "customers sent", day), rows, rows["at"])

    def merges(self, day: int) -> Rows:
        """Returns the merges of customers into older ones, and the ends of merges, on the day."""
        begins = self.timetable.begins(day)
        known = np.arange(1, max(int(self.timetable.customers[day]) if day else 0, 1))
        customer = known[uniforms(self.seed, "merged", known) < self.timetable.scale.merged_share]
        merged_at = self._born_at(customer) + (1 + below(self.seed, "merged after", customer, 5 * 86_400)) * SECOND
        parted_at = merged_at + (1 + below(self.seed, "parted after", customer, 10 * 86_400)) * SECOND
        is_parted = uniforms(self.seed, "parted", customer) < PARTED_SHARE
        parts = [
            {"customer": customer, "at": merged_at, "is_parted": np.zeros_like(customer)},
            take({"customer": customer, "at": parted_at, "is_parted": np.ones_like(customer)}, is_parted),
        ]
        rows = concat([take(part, part["at"] // DAY == begins // DAY) for part in parts])
        rows = take(rows, np.argsort(rows["at"], kind="stable"))
        return send(generator(self.seed, "merges sent", day), rows, rows["at"])

    def merges_frame(self, rows: Rows) -> pl.DataFrame:
        customer = rows["customer"]
        older = (uniforms(self.seed, "merged into", customer) * customer).astype(np.int64)
        return frame(
            {
                "customer_id": customer_ids(customer),
                "merged_at": timestamps(rows["at"]),
                "merged_into": customer_ids(older),
                "is_deleted": pl.Series(rows["is_parted"] == 1),
            }
        )

    def frame(self, rows: Rows) -> pl.DataFrame:
        customer, version = rows["customer"], rows["version"]
        moves, consents, mails = (version + 2) // 3, (version + 1) // 3, version // 3
        country = self.country(customer)
        first = country * FIRST_NAMES + below(self.seed, "first name", customer, FIRST_NAMES)
        last = country * LAST_NAMES + below(self.seed, "last name", customer, LAST_NAMES)
        city = country * CITIES + below(self.seed, "city", customer * 64 + moves, CITIES)
        consent = self._consents(customer) ^ (consents % 2 == 1)
        all_names = names(self.seed)
        mail_name = texts(all_names.first_mails, first) + "." + texts(all_names.last_mails, last)
        host = texts(MAIL_HOSTS, below(self.seed, "mail host", customer * 64 + mails, 3))
        return frame(
            {
                "customer_id": customer_ids(customer),
                "changed_at": timestamps(rows["at"]),
                "registered_at": timestamps(self._registered_at(customer, self._born_at(customer))),
                "name": texts(all_names.first_names, first) + " " + texts(all_names.last_names, last),
                "email": mail_name + "." + pl.Series(customer).cast(pl.String) + "@" + host,
                "city": texts(all_names.cities, city),
                "country": texts(COUNTRY_NAMES, country),
                "marketing_consent": pl.Series(consent),
            }
        )
