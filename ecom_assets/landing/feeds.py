"""The feeds there are."""

import importlib
import pkgutil

import ecom_assets.landing
from ecom_assets.contract import Contract, Table, contract


def feed_contracts() -> dict[str, Contract]:
    """The contract of each feed that may arrive, by its name."""
    found = {}
    for module in pkgutil.iter_modules(ecom_assets.landing.__path__):
        members = vars(importlib.import_module(f"ecom_assets.landing.{module.name}")).values()
        for member in members:
            if isinstance(member, type) and issubclass(member, Table) and member.__module__.endswith(f".{module.name}"):
                found[module.name] = contract(member)
    return found
