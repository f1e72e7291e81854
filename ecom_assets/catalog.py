"""Finds the tables of the layers by their files: one module per table."""

import importlib
import pkgutil
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

from ecom_assets.contract import Layer
from ecom_assets.days import Window
from ecom_assets.declaration import Catalog
from ecom_assets.engine.compiling import may_keep

if TYPE_CHECKING:
    import dagster as dg

LAYERS = {layer: importlib.import_module(f"{__package__}.{layer}") for layer in Layer}
"""Layer to its package, whose docstring says what the layer is."""


@cache
def modules() -> dict[str, ModuleType]:
    """Returns the module that declares each table, by table name."""
    found = {}
    for layer, package in LAYERS.items():
        for info in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{info.name}")
            if hasattr(module, "asset"):
                found[f"{layer}.{info.name}"] = module
    return found


@cache
def tables() -> Catalog:
    """Returns the declarations of all tables."""
    found = Catalog(module.asset for module in modules().values())
    may_keep(found)
    return found


def assets(calendar: Window, time_zone: str = "UTC") -> "list[dg.AssetsDefinition]":
    """Dagster's assets of all tables, partitioned by the days of a calendar in a time zone.

    The door from the tables to Dagster, which is loaded here and not before.
    """
    from ecom_assets.orchestration.assets import partitions_of, table_assets

    return table_assets(tables(), partitions_of(calendar, time_zone))
