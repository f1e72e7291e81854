"""The columns of landed files: one contract per feed.

How files become rows belongs in `landing`; what the rows mean belongs in `silver`.
"""

import importlib
import pkgutil

from ecom_assets.contract import Contract, Table, contract


def feed_contracts() -> dict[str, Contract]:
    """Returns the contract of each feed, by the feed's name."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        members = vars(importlib.import_module(f"{__name__}.{module.name}")).values()
        for member in members:
            if isinstance(member, type) and issubclass(member, Table) and member.__module__.endswith(f".{module.name}"):
                found[module.name] = contract(member)
    return found
