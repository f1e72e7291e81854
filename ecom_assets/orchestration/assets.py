"""Dagster assets of declared tables: partitions, inputs, outputs and checks."""

import hashlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from ecom_assets.days import ONE_DAY, Window
from ecom_assets.declaration import DAYS_PARAMETER, Declaration
from ecom_assets.documentation.site import href
from ecom_assets.engine.compiling import transformed
from ecom_assets.orchestration import metadata
from ecom_assets.orchestration._dagster import without_beta_warnings
from ecom_assets.warehouse.ledger.verdicts import CONTRACT, EXPECTATIONS

IO_MANAGER = "warehouse"
STATE = "state"
"""Metadata of a materialization and of a check: the state of the table-day."""
MISTAKE = "mistake"
"""Metadata of a check: what is wrong with the code of its table, which could not run."""
OWNERS = ["team:data-platform"]
DOMAINS = {
    "models": "models|scores|registry|survivors",
    "quality": "reconciliation|profiles|anomalies|agreement|incomplete|unmatched|unsettled",
    "marketing": "ad_spend|campaign|channel|coupon|attribution|marketing|acquisition|touchpoint",
    "stock": "inventory|stock|supplier|receipts",
    "web": "event|session|cart|funnel|clicks|completions|purchases",
    "payments": "payment|authorisation|unpaid|exchange_rates",
    "returns": "return|refund",
    "fulfilment": "shipment|fulfilment",
    "reviews": "review",
    "customers": "customer|cohort|repeat",
    "products": "product|category",
}
"""Parts of the business, with words in the names of their tables; the first with a word in a name has the table."""


def partitions_of(calendar: Window, time_zone: str) -> dg.DailyPartitionsDefinition:
    """Returns the partitions: the days of a calendar in a time zone; without an end, they grow day by day."""
    has_end = calendar.last.year < 9999
    end = (calendar.last + ONE_DAY).isoformat() if has_end else None
    return dg.DailyPartitionsDefinition(calendar.first.isoformat(), end_date=end, timezone=time_zone)


def asset_key(table: str) -> dg.AssetKey:
    """Returns the asset key of a table: "silver.orders" is silver/orders."""
    return dg.AssetKey(table.split("."))


def domain_of(table: str) -> str:
    """Returns the part of the business that a table is about, by the words of its name: sales if by no other."""
    name = table.partition(".")[2]
    return next((domain for domain, words in DOMAINS.items() if re.search(words, name)), "sales")


def code_version(source: Callable[..., Any]) -> str:
    """Returns a version of the file that has a function. What makes a table stale is decided by the ledger instead."""
    file = Path(inspect.getsourcefile(source) or __file__)
    return hashlib.blake2b(file.read_bytes(), digest_size=4).hexdigest()


def asset_keys(declarations: Iterable[Declaration]) -> list[dg.AssetKey]:
    """Returns the asset keys of tables and of their quarantines."""
    known = list(declarations)
    return [asset_key(d.name) for d in known] + [asset_key(d.quarantine) for d in known if d.from_feed]


def table_of(key: dg.AssetKey) -> str:
    """Returns the table of an asset: silver/orders is "silver.orders"."""
    return ".".join(key.path)


def op_name(declaration: Declaration) -> str:
    """Returns the name of the op of a table: Dagster allows no dots in it."""
    return declaration.name.replace(".", "__")


def has_expectations(declaration: Declaration) -> bool:
    """Returns whether a table has soft rules."""
    return bool(declaration.contract.soft_rules or declaration.feed)


@without_beta_warnings()
def table_assets(
    declarations: Iterable[Declaration], partitions: dg.PartitionsDefinition, catalogue: Path | None = None
) -> list[dg.AssetsDefinition]:
    """Returns an asset per table, with its quarantine if it has one, for the days of `partitions`.

    Each names its page in `catalogue`, the folder of the catalogue site.
    """
    return [_asset(declaration, partitions, catalogue) for declaration in declarations]


def _asset(
    declaration: Declaration, partitions: dg.PartitionsDefinition, catalogue: Path | None
) -> dg.AssetsDefinition:
    key, source = asset_key(declaration.name), declaration.source or declaration.transform
    ins = {
        read.parameter: dg.AssetIn(key=asset_key(read.table), metadata={"reach": read.reach.name}, dagster_type=dg.Any)
        for read in declaration.reads
        if read.parameter
    }
    text, about = declaration.contract.description, metadata.about_table(declaration, source)
    if catalogue:
        about["catalogue"] = dg.MetadataValue.path(catalogue / href(declaration.name))
    version = code_version(source)
    outs = {"rows": _out(declaration, key, text, about, str(declaration.contract.partition_column), version)}
    if declaration.from_feed:
        text, about = metadata.quarantine_description(declaration), metadata.about_quarantine(declaration, source)
        outs["quarantined"] = _out(declaration, asset_key(declaration.quarantine), text, about, "read_on", version)
    text = metadata.contract_description(declaration)
    specs = [dg.AssetCheckSpec(CONTRACT, asset=key, blocking=True, description=text)]
    if has_expectations(declaration):
        text = metadata.expectations_description(declaration)
        specs.append(dg.AssetCheckSpec(EXPECTATIONS, asset=key, description=text))

    @dg.multi_asset(
        name=op_name(declaration),
        ins=ins,
        outs=outs,
        deps=_deps(declaration),
        check_specs=specs,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        can_subset=True,
        required_resource_keys={IO_MANAGER},
        pool=IO_MANAGER,
    )
    def compute(context: dg.AssetExecutionContext, **inputs: Any) -> Iterator[dg.Output[Any]]:
        warehouse = getattr(context.resources, IO_MANAGER)
        selected = context.op_execution_context.selected_output_names
        if not (context.has_partition_key or context.has_partition_key_range):
            for spec in specs:
                if (name := f"{op_name(declaration)}_{spec.name}") in selected:
                    context.log_event(warehouse.checked_again(context, declaration, spec.name))
                    yield dg.Output(None, name)
            return
        if declaration.wants_days:
            inputs[DAYS_PARAMETER] = warehouse.days(context)
        rows = partial(transformed, declaration, inputs, warehouse.tables())
        # The checks' outputs come last: Dagster would log that they are missing.
        for name in [*outs, *sorted(selected - outs.keys())]:
            if name in selected:
                yield dg.Output(rows, name)

    return compute


def _deps(declaration: Declaration) -> list[dg.AssetKey]:
    """Returns upstream assets that the transform does not read: landed files, referenced tables and the like."""
    if declaration.is_bronze:
        return [dg.AssetKey(["landing", declaration.feed_name])]
    read = {read.table for read in declaration.reads if read.parameter}
    others = dict.fromkeys([*declaration.references, *(read.table for read in declaration.reads)])
    return [asset_key(table) for table in others if table not in read]


def _out(
    declaration: Declaration, key: dg.AssetKey, text: str, about: Mapping[str, Any], day: str, version: str
) -> dg.AssetOut:
    layer, table = key.path
    return dg.AssetOut(
        key=key,
        dagster_type=dg.Any,
        description=text,
        is_required=False,
        io_manager_key=IO_MANAGER,
        metadata={**about, "partition_expr": day, "dagster/table_name": f"{layer}.{table}"},
        group_name=layer,
        owners=OWNERS,
        kinds={"duckdb", layer},
        tags={"domain": domain_of(declaration.name), **({"feed": table} if declaration.feed else {})},
        code_version=version,
    )
