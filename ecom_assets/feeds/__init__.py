"""The columns of landed files: one contract per feed.

How files become rows belongs in `landing`; what the rows mean belongs in `silver`.
"""

import importlib
import pkgutil

from ecom_assets.contract import FeedContract, feed_contract, is_feed


def feed_contracts() -> dict[str, FeedContract]:
    """Returns the contract of each feed, by the feed's name."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        members = vars(importlib.import_module(f"{__name__}.{module.name}")).values()
        for member in members:
            if isinstance(member, type) and is_feed(member) and member.__module__.endswith(f".{module.name}"):
                found[module.name] = feed_contract(member)
    return found
