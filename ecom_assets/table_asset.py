"""The last line of a table file: contract and transform become the declaration of an asset.

A table is declared without Dagster and settings; `catalog.assets` makes Dagster assets from all declarations.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ecom_assets.contract import Feed, Model, contract, feed_contract, feed_of
from ecom_assets.days import Reach
from ecom_assets.declaration import Declaration, Plot, declare, declare_bronze

__all__ = ["Plot", "bronze_asset", "table_asset"]


def bronze_asset(feed: type[Feed]) -> Declaration:
    """Returns the bronze table of a feed: its landed files as text, stored by arrival day."""
    return declare_bronze(feed_contract(feed), source=feed)


def table_asset(
    model: type[Model],
    transform: Callable[..., Any],
    reads: Mapping[str, Reach] | None = None,
    view: tuple[str, str] | None = None,
    conserved: Callable[..., Any] | None = None,
    survivors: Callable[[str], str] | None = None,
    plots: tuple[Plot, ...] = (),
) -> Declaration:
    """A table above bronze. Raises TypeError if the arguments do not fit together.

    `transform` takes frames named after the tables they come from and returns the table's rows; it has
    no clock, randomness or I/O. `reads` says how far a day reaches into an input; same_day if left out.
    `view` is the name and query of a view that is published with the table. `conserved` takes some of the
    transform's frames, as of the same day, and returns rows of the day and of some of the table's amounts:
    a day whose rows do not sum to theirs fails. `survivors` is for a table that merges numbers, which columns name by
    `merged_by`: it returns SQL for each merged `number` and its `survivor`, given SQL for the table's rows.
    `plots` are shown on the table's page in Dagster's UI.
    """
    return declare(
        contract(model),
        transform,
        reads,
        feed=feed_of(model),
        view=view,
        conserved=conserved,
        survivors=survivors,
        plots=plots,
    )
