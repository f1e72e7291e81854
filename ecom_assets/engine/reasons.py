"""The reasons against typed rows from a feed."""

from ecom_assets.contract import Reason
from ecom_assets.declaration import Catalog, Declaration
from ecom_assets.engine.compiling import judged
from ecom_assets.engine.duckdb.parsing import reason_sql, useless_day_codes
from ecom_assets.engine.duckdb.tables import REASONS_TYPE, stored
from ecom_assets.sql import literal, literals, quoted


def as_sql(reason: Reason) -> str:
    """Returns SQL for a reason."""
    return reason_sql(reason.code, literal(reason.sentence))


def with_reasons(declaration: Declaration, rows: str, catalog: Catalog) -> str:
    """Returns SQL for the rows of a table from a feed with `reasons`, null without any, and `retracts`.

    The columns `warned <n>` say which expectations a row misses. What a row refers to is not looked at.

    Args:
        declaration: The table, from a feed.
        rows: SQL for what its transform makes of typed rows of bronze.
        catalog: The catalog with the table.
    """
    promise, table = declaration.contract, stored(declaration)
    broken = [(quoted(f"broken {n}"), as_sql(rule.complaint)) for n, rule in enumerate(promise.hard_rules)]
    some = " or ".join(flag for flag, _ in broken) or "false"
    listed = ", ".join(f"case when {flag} then {reason} end" for flag, reason in broken)
    typed = ", ".join(f"{quoted(name)}::{sql_type} as {quoted(name)}" for name, sql_type in table.columns.items())
    retracts = "retracts" if promise.retractions else "false"
    warned = (quoted(f"warned {n}") for n in range(len(promise.soft_rules)))
    soft = "".join(f", {flag} and not {retracts} as {flag}" for flag in warned)
    return f"""
        select {typed}{soft}, {retracts} as retracts,
               case when {retracts} then {_against_retraction(declaration, listed)}
                    when problems is not null then problems
                    when {some} then list_filter([{listed}], lambda x: x is not null) end as reasons
        from ({judged(declaration, rows, catalog)})"""


def _against_retraction(declaration: Declaration, broken: str) -> str:
    """Returns SQL for the reasons against a row that retracts its key: it needs only its key and its version.

    `broken` is SQL for the reasons of the broken rules, null where a rule holds.
    """
    promise, feed = declaration.contract, declaration.feed_contract
    columns = {*feed.primary_key, *filter(None, [feed.version_column])}
    codes = ["unreadable_record", *(f"{name}_unreadable" for name in sorted({*columns, "is_deleted"}))]
    codes += [rule.id for rule in promise.hard_rules if rule.column in columns]
    if feed.event_column in feed.primary_key:
        codes += useless_day_codes(feed.columns[feed.event_column])
    against = f"lambda x: list_contains([{literals(codes)}], struct_extract(x, 'code'))"
    found = (
        f"nullif(list_filter({reasons}, {against}), []::{REASONS_TYPE})" for reasons in ("problems", f"[{broken}]")
    )
    return f"coalesce({', '.join(found)})"
