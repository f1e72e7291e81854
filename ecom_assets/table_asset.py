"""Contract and transform become an asset with checks: the only glue between tables and Dagster."""

import dataclasses
import datetime as dt
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import dagster as dg

from ecom_assets import settings
from ecom_assets.contract import Table, contract
from ecom_assets.days import ONE_DAY, Reach, Window
from ecom_assets.declaration import DAYS_PARAMETER, Declaration, declare
from ecom_assets.engine.compiling import transformed
from ecom_assets.orchestration import metadata

# Both are in beta and without a stable twin; users need not read it at every command.
_IN_BETA = r"(Parameter `backfill_policy`|Class `(LocalFileCodeReference|CodeReferencesMetadataValue)`)"
warnings.filterwarnings("ignore", _IN_BETA, dg.BetaWarning)

IO_MANAGER = "warehouse"
CONTRACT, EXPECTATIONS = "contract", "expectations"
OWNERS = ["team:data-platform"]


@cache
def partitions() -> dg.DailyPartitionsDefinition:
    """The days of the shop's calendar, in its time zone."""
    known = settings.load()
    end = (known.end + ONE_DAY).isoformat() if known.end else None
    return dg.DailyPartitionsDefinition(known.start.isoformat(), end_date=end, timezone=known.time_zone)


def past_days() -> Window | None:
    """The days that are over, for only they can be run. None before the first is."""
    last = partitions().get_last_partition_key()
    return Window(settings.load().start, dt.date.fromisoformat(last)) if last else None


def asset_key(table: str) -> dg.AssetKey:
    """The asset of a table: "silver.orders" is silver/orders."""
    return dg.AssetKey(table.split("."))


def declaration_of(asset: dg.AssetsDefinition) -> Declaration:
    """What an asset made here was made from."""
    return asset.op.compute_fn.decorated_fn.declaration  # type: ignore[union-attr, no-any-return]


def has_expectations(declaration: Declaration) -> bool:
    """Whether anything about a table is only warned about."""
    return bool(declaration.contract.soft_rules or declaration.feed)


def bronze_asset(feed: type[Table]) -> dg.AssetsDefinition:
    """The asset that reads a feed's landed files: text as sent, stored by arrival day."""
    landed = contract(feed)
    name = landed.name.partition(".")[2]
    as_sent = {column.name: dataclasses.replace(column, references=None) for column in landed.columns.values()}
    promise = dataclasses.replace(landed, name=f"bronze.{name}", partition_column="arrived_on", columns=as_sent)
    declaration = Declaration(promise, _read_by_the_warehouse, feed=landed)
    return _asset(declaration, feed, deps=[dg.AssetKey(["landing", name])])


def table_asset(
    model: type[Table],
    transform: Callable[..., Any],
    reads: Mapping[str, Reach] | None = None,
    view: tuple[str, str] | None = None,
    conserved: Callable[..., Any] | None = None,
) -> dg.AssetsDefinition:
    """The asset of a table.

    `transform` takes frames named after the tables they come from and gives the table's rows; it has
    no clock, randomness or I/O. `reads` says how far a day reaches into an input; same_day if left out.
    `view` is the name and query of a view that stands beside the table. `conserved` takes some of the
    transform's frames, as of the same day, and gives rows of the day and of some of the table's amounts:
    a day whose rows do not sum to theirs fails.
    """
    promise = contract(model)
    if promise.partition_column is None:
        raise TypeError(f"{promise.name} has no partition_column=.")
    parents = (parent for parent in model.__mro__[1:] if issubclass(parent, Table) and parent is not Table)
    feed = next((contract(parent) for parent in parents if parent.__facts__["event_column"]), None)
    declaration = declare(promise, transform, reads, feed=feed, view=view, conserved=conserved)
    return _asset(declaration, transform, deps=[asset_key(table) for table in declaration.references])


def _read_by_the_warehouse() -> None:
    """Bronze has no transform: the warehouse reads the landed files."""


def _asset(declaration: Declaration, source: Callable[..., Any], deps: list[dg.AssetKey]) -> dg.AssetsDefinition:
    key = asset_key(declaration.name)
    inputs = {
        read.parameter: dg.AssetIn(key=asset_key(read.table), metadata={"reach": read.reach.name}, dagster_type=dg.Any)
        for read in declaration.reads
        if read.parameter
    }
    text, about = declaration.contract.description, metadata.about_table(declaration, source)
    outs = {"rows": _out(declaration, key, text, about)}
    if declaration.from_feed:
        text, about = metadata.quarantine_description(declaration), metadata.about_quarantine(declaration, source)
        outs["quarantined"] = _out(declaration, asset_key(declaration.quarantine), text, about)
    specs = [dg.AssetCheckSpec(CONTRACT, asset=key, description=metadata.contract_description(declaration))]
    if has_expectations(declaration):
        text = metadata.expectations_description(declaration)
        specs.append(dg.AssetCheckSpec(EXPECTATIONS, asset=key, description=text))

    @dg.multi_asset(
        name=declaration.name.replace(".", "__"),
        ins=inputs,
        outs=outs,
        deps=[dep for dep in deps if dep not in {i.key for i in inputs.values()}],
        check_specs=specs,
        partitions_def=partitions(),
        backfill_policy=dg.BackfillPolicy.single_run(),
        can_subset=True,
        required_resource_keys={IO_MANAGER},
        pool=IO_MANAGER,
    )
    def compute(context: dg.AssetExecutionContext, **frames: Any) -> Iterator[dg.Output[Any]]:
        warehouse = getattr(context.resources, IO_MANAGER)
        if declaration.wants_days:
            frames[DAYS_PARAMETER] = warehouse.days(context)
        result = transformed(declaration, frames, warehouse.tables())
        for name in sorted(context.op_execution_context.selected_output_names, reverse=True):
            yield dg.Output(result, name)

    compute.op.compute_fn.decorated_fn.declaration = declaration  # type: ignore[union-attr]
    return compute


def _out(declaration: Declaration, key: dg.AssetKey, text: str, metadata: Mapping[str, Any]) -> dg.AssetOut:
    layer, table = key.path
    return dg.AssetOut(
        key=key,
        dagster_type=dg.Any,
        description=text,
        is_required=False,
        io_manager_key=IO_MANAGER,
        metadata={**metadata, "dagster/table_name": f"{layer}.{table}"},
        group_name=layer,
        owners=OWNERS,
        kinds={"duckdb", layer},
        tags={"feed": table} if declaration.feed else {},
    )
