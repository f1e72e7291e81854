"""The shop's customers: a growing base whose profiles change."""

from dataclasses import dataclass
from functools import cached_property

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
    pick,
    popularity,
    uniforms,
    weights,
)
from ecom_assets.shop.names import CITIES, COUNTRIES, COUNTRY_WEIGHTS, FIRST_NAMES, LAST_NAMES, names
from ecom_assets.shop.rows import Rows, concat, frame, numbered, pool, send, take, texts, timestamps
from ecom_assets.shop.timetable import Timetable

COUNTRY_NAMES = pool(list(COUNTRIES))
MAIL_HOSTS = pool(["example.com", "example.net", "example.org"])
POWER_ALPHA = 1.3
CONSENT_SHARE = 0.6
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
    def _weights(self) -> Floats:
        return popularity(self.seed, "customer", int(self.timetable.customers[-1]), POWER_ALPHA)

    def known(self, day: int) -> int:
        """Returns the number of customers registered before the previous day, and at the start."""
        return int(self.timetable.customers[max(day - 1, 0)])

    def pick(self, rng: np.random.Generator, day: int, count: int) -> Ints:
        """Returns buyers drawn from the customers known on the day; a few buy much more than most."""
        return pick(rng, self._weights, self.known(day), count)

    def weights(self, customer: Ints) -> Floats:
        """Returns each customer's weight: how often it buys, relative to others."""
        return weights(self._weights, customer)

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
        consent = (uniforms(self.seed, "consent", customer) < CONSENT_SHARE) ^ (consents % 2 == 1)
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
