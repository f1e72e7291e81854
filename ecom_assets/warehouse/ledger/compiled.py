"""Compiled transforms and rules, cached for later processes."""

from dataclasses import astuple

import duckdb

from ecom_assets.declaration import Catalog, Declaration
from ecom_assets.engine import compiling
from ecom_assets.engine.compiling import Compiled, compiled, may_be_kept, provide


def take_compiled(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> set[str]:
    """Loads cached tables of the same code instead of compiling them again. Returns the cached tables."""
    query = "select table_name, transform, judge, meaning, lineage, conserved from ledger.compiled where made_of = ?"
    kept = {name: Compiled(*parts) for name, *parts in con.execute(query, [compiling.made_of()]).fetchall()}
    provide(catalog, kept)
    return set(kept)


def keep_compiled(con: duckdb.DuckDBPyConnection, declaration: Declaration, catalog: Catalog) -> None:
    """Caches the compiled SQL of a table, if it is cacheable."""
    if may_be_kept(declaration):
        row = [declaration.name, compiling.made_of(), *astuple(compiled(declaration, catalog))]
        con.execute("delete from ledger.compiled where table_name = ? or made_of <> ?", row[:2])
        con.execute("insert into ledger.compiled values (?, ?, ?, ?, ?, ?, ?)", row)
