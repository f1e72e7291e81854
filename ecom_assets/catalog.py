"""The layers and their tables, found where they stand: one module per table."""

import importlib
import pkgutil
from functools import cache
from types import ModuleType

import dagster as dg

from ecom_assets import bronze, features, gold, kpi, silver
from ecom_assets.declaration import Catalog
from ecom_assets.engine.compiling import may_keep
from ecom_assets.table_asset import declaration_of

LAYERS = (bronze, silver, gold, kpi, features)


@cache
def modules() -> dict[str, ModuleType]:
    """Table name to the module that declares it."""
    found = {}
    for layer in LAYERS:
        for info in pkgutil.iter_modules(layer.__path__):
            module = importlib.import_module(f"{layer.__name__}.{info.name}")
            if hasattr(module, "asset"):
                found[f"{layer.__name__.rpartition('.')[2]}.{info.name}"] = module
    return found


def assets() -> list[dg.AssetsDefinition]:
    """The assets of all tables."""
    return [module.asset for module in modules().values()]


@cache
def tables() -> Catalog:
    """All declarations."""
    found = Catalog(declaration_of(module.asset) for module in modules().values())
    may_keep(found)
    return found
