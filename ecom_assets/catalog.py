"""Finds the tables of the layers by their files: one module per table."""

import importlib
import pkgutil
import traceback
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ecom_assets.contract import Layer
from ecom_assets.days import Window
from ecom_assets.declaration import Catalog
from ecom_assets.engine.compiling import may_keep
from ecom_assets.errors import UserError

if TYPE_CHECKING:
    import dagster as dg


class NotLoadable(UserError):
    """The file of a table cannot be loaded; the text says where."""


LAYERS = {layer: importlib.import_module(f"{__package__}.{layer}") for layer in Layer}
"""Layer to its package, whose docstring says what the layer is."""


@cache
def modules() -> dict[str, ModuleType]:
    """Returns the module that declares each table, by table name. Raises NotLoadable."""
    found = {}
    for layer, package in LAYERS.items():
        for info in pkgutil.iter_modules(package.__path__):
            module = imported(f"{package.__name__}.{info.name}")
            if hasattr(module, "asset"):
                found[f"{layer}.{info.name}"] = module
    return found


def imported(name: str) -> ModuleType:
    """Returns the module of a table. Raises NotLoadable."""
    try:
        return importlib.import_module(name)
    except Exception as error:
        file = f"{name.replace('.', '/')}.py"
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(file)]
        line = error.lineno if isinstance(error, SyntaxError) else (lines or [1])[-1]
        text = f"{file}, line {line}: {type(error).__name__}: {str(error).rstrip('.')}"
        raise NotLoadable(f"{text}. No table can run before this is corrected.") from error


@cache
def tables() -> Catalog:
    """Returns the declarations of all tables."""
    found = Catalog(module.asset for module in modules().values())
    may_keep(found)
    return found


def assets(calendar: Window, time_zone: str = "UTC", catalogue: Path | None = None) -> "list[dg.AssetsDefinition]":
    """Dagster's assets of all tables, partitioned by the days of a calendar in a time zone.

    Each names its page in `catalogue`, the folder of the catalogue site.

    The door from the tables to Dagster, which is loaded here and not before.
    """
    from ecom_assets.orchestration.assets import partitions_of, table_assets

    return table_assets(tables(), partitions_of(calendar, time_zone), catalogue)
