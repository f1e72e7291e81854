"""What transforms compile to is kept in the warehouse, for as long as it is what the code says."""

import re
from collections.abc import Callable, Iterator
from importlib import metadata

import pytest

from ecom_assets import catalog
from ecom_assets.declaration import Catalog
from ecom_assets.engine import compiling
from ecom_assets.landing.zone import Zone
from ecom_assets.sql import connect
from ecom_assets.warehouse.ledger.schema import MIGRATIONS
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.warehouses import session_over, window

TABLES = ("gold.dim_status", "kpi.daily_payments")


@pytest.fixture
def tables() -> Catalog:
    """Two tables of the package, and what they are made of."""
    found = catalog.tables()
    return Catalog(found[name] for name in {*TABLES, *(up for name in TABLES for up in found.upstream(name))})


@pytest.fixture
def compiled_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """The tables compiled since it was last asked, as a new process would."""
    names: list[str] = []
    compile_now = compiling._compile

    def noted(declaration, catalog):
        names.append(declaration.name)
        return compile_now(declaration, catalog)

    monkeypatch.setattr(compiling, "_compile", noted)

    def since() -> list[str]:
        found = sorted(names)
        names.clear()
        compiling._COMPILED.clear()
        return found

    since()
    return since


def test_a_later_process_compiles_nothing(tables, compiled_names, tmp_path):
    first = session_over(Zone(tmp_path), tables=tables)
    before = {name: first.codes[name] for name in TABLES}
    lineage = [compiling.compiled(tables[name], tables).lineage for name in TABLES]
    assert compiled_names() == sorted(TABLES)

    later = Session(first.con, tables, first.zone, first.calendar)

    assert {name: later.codes[name] for name in TABLES} == before
    assert [compiling.compiled(tables[name], tables).lineage for name in TABLES] == lineage
    assert compiled_names() == []


def test_a_table_of_what_was_known_that_is_compiled_again_has_the_same_hash(compiled_names, tmp_path):
    found = catalog.tables()
    versions = [table.name for table in found if any(read.reach.by_arrival for read in table.reads)]
    needed = {*versions[:2], *(up for name in versions[:2] for up in found.upstream(name))}
    needed |= {found.typed_by(found[name]).name for name in needed if found[name].is_bronze}
    tables = Catalog(found[name] for name in needed)

    def codes() -> list[int]:
        compiled_names()
        return [session_over(Zone(tmp_path), tables=tables).codes[name] for name in versions[:2]]

    assert codes() == codes()
    assert set(versions[:2]) <= set(compiled_names())


def test_an_older_warehouse_is_opened_and_a_table_that_is_gone_is_forgotten(tables, compiled_names, tmp_path):
    con = connect()
    con.execute("create schema ledger")
    for without_lineage in MIGRATIONS[:3]:
        con.execute(without_lineage)
    con.execute("insert into ledger.compiled values ('gold.gone', 'another version', 'from x', 'from y', '')")

    later = Session(con, tables, Zone(tmp_path), window(1))

    assert [later.codes[name] for name in TABLES]
    kept = con.execute("select table_name, lineage[1]['from_table'] from ledger.compiled order by all").fetchall()
    assert kept == [("gold.dim_status", "silver.orders"), ("kpi.daily_payments", "gold.fact_payments")]


def test_other_code_compiles_anew_and_leaves_nothing_old(tables, compiled_names, monkeypatch, tmp_path):
    first = session_over(Zone(tmp_path), tables=tables)
    assert [first.codes[name] for name in TABLES]
    compiled_names()
    monkeypatch.setattr(compiling, "made_of", lambda: "another version")

    later = Session(first.con, tables, first.zone, first.calendar)

    assert [later.codes[name] for name in TABLES]
    assert compiled_names() == sorted(TABLES)
    assert first.con.execute("select distinct made_of from ledger.compiled").fetchall() == [("another version",)]


def test_another_version_of_a_library_compiles_anew(monkeypatch):
    before = compiling.made_of()
    known = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "0.0" if name == "polars" else known(name))

    compiling.made_of.cache_clear()
    after = compiling.made_of()
    compiling.made_of.cache_clear()

    assert after != before


@pytest.mark.slow
def test_what_a_table_means_has_no_random_name():
    tables = catalog.tables()
    meanings = {d.name: compiling.compiled(d, tables).meaning for d in tables if not d.is_bronze}

    found = {name: re.findall(r"(?<=[a-z_])[0-9a-f]{14}\b", meaning) for name, meaning in meanings.items()}

    assert {name: names for name, names in found.items() if names} == {}
