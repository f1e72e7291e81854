"""Names, addresses and texts: small pools, drawn once per seed."""

import unicodedata
from dataclasses import dataclass
from functools import cache

import polars as pl
from faker import Faker

from ecom_assets.shop.rows import pool

COUNTRIES = {"DE": "de_DE", "FR": "fr_FR", "GB": "en_GB", "NL": "nl_NL", "PL": "pl_PL"}
COUNTRY_WEIGHTS = [0.45, 0.2, 0.15, 0.12, 0.08]
FIRST_NAMES, LAST_NAMES, CITIES, BRANDS = 120, 160, 40, 40


@dataclass(frozen=True)
class Names:
    """Pools of texts. In pools by country, the countries follow one another."""

    first_names: pl.Series
    last_names: pl.Series
    first_mails: pl.Series
    last_mails: pl.Series
    cities: pl.Series
    brands: pl.Series


def _mail(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.replace("ł", "l").replace("Ł", "L").replace("ß", "ss"))
    return "".join(letter for letter in plain.lower() if "a" <= letter <= "z")


@cache
def names(seed: int) -> Names:
    """Returns the pools of a seed. Takes about a third of a second, once."""
    first_names: list[str] = []
    last_names: list[str] = []
    cities: list[str] = []
    for locale in COUNTRIES.values():
        fake = Faker(locale)
        fake.seed_instance(seed)
        first_names += [fake.first_name() for _ in range(FIRST_NAMES)]
        last_names += [fake.last_name() for _ in range(LAST_NAMES)]
        cities += [fake.city() for _ in range(CITIES)]
    fake = Faker("en_GB")
    fake.seed_instance(seed)
    return Names(
        first_names=pool(first_names),
        last_names=pool(last_names),
        first_mails=pool([_mail(name) for name in first_names]),
        last_mails=pool([_mail(name) for name in last_names]),
        cities=pool(cities),
        brands=pool([fake.unique.company() for _ in range(BRANDS)]),
    )
