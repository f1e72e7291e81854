"""Warehouses of earlier code are migrated, those that this code cannot continue are refused."""

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from ecom_assets.sql import connect
from ecom_assets.warehouse.ledger import schema
from ecom_assets.warehouse.ledger.records import Cause
from ecom_assets.warehouse.ledger.schema import MIGRATIONS, SCHEMA_VERSION, LedgerError, prepare


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as con:
        yield con


def facts(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(con.execute("select name, value from ledger.facts").fetchall())


def columns(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return con.execute(
        "select table_name, column_name, data_type from duckdb_columns() where schema_name = 'ledger' order by all"
    ).fetchall()


def before_versions(con: duckdb.DuckDBPyConnection, migrations: int) -> None:
    """A ledger as code wrote it that kept no schema version, with some of its later columns."""
    con.execute("create schema ledger; create table ledger.facts (name varchar, value varchar)")
    con.execute("insert into ledger.facts values ('hash_version', '2')")
    for migration in MIGRATIONS[:migrations]:
        con.execute(migration)


def test_an_empty_file_gets_the_present_schema(con):
    prepare(con)

    assert facts(con) == {"hash_version": "2", "schema_version": str(SCHEMA_VERSION)}


@pytest.mark.parametrize("migrations", range(1, 5))
def test_a_ledger_without_a_version_comes_to_the_present_schema_with_its_rows(con, migrations):
    before_versions(con, migrations)
    con.execute("insert into ledger.days (table_name, day, row_count) values ('gold.sales', '2024-03-01', 3)")

    prepare(con)

    with connect() as empty:
        prepare(empty)
        assert columns(con) == columns(empty)
    assert facts(con)["schema_version"] == str(SCHEMA_VERSION)
    assert con.execute("select table_name, row_count, checked_count from ledger.days").fetchall() == [
        ("gold.sales", 3, None)
    ]


def test_what_was_invalidated_before_causes_had_codes_stays_so(con):
    before_versions(con, 4)
    con.execute("""
        insert into ledger.pokes values
            ('silver.items', '2024-03-01', 'a row of silver.orders came or went'),
            ('silver.items', '2024-03-02', 'a missing row of silver.orders came'),
            ('silver.items', '2024-03-03', 'a row of silver.orders went'),
            ('silver.items', '2024-03-04', 'a key stands on several days')""")

    prepare(con)

    assert con.execute("select day(day), cause, by_table from ledger.invalidations order by day").fetchall() == [
        (1, Cause.REFERENCE_CHANGED, "silver.orders"),
        (2, Cause.REFERENCE_ARRIVED, "silver.orders"),
        (3, Cause.REFERENCE_REMOVED, "silver.orders"),
        (4, Cause.KEY_MOVED, None),
    ]


def test_what_moved_rows_refer_to_is_kept(con):
    before_versions(con, 4)
    con.execute("insert into ledger.moves (record, leans_on) values (1, map {'order_id': '7'})")

    prepare(con)

    assert con.execute("select record, refers_to['order_id'] from ledger.moves").fetchall() == [(1, "7")]


def test_totals_are_kept_with_their_time(con):
    before_versions(con, 4)
    con.execute("insert into ledger.amounts (amount, told_at) values (7, '2024-03-02')")

    prepare(con)

    totals = con.execute("select amount::int, recorded_at::varchar from ledger.amounts").fetchall()
    assert totals == [(7, "2024-03-02 00:00:00")]


def test_only_the_migrations_that_a_ledger_lacks_are_run(con, monkeypatch):
    prepare(con)
    monkeypatch.setattr(
        schema, "MIGRATIONS", ["select error('run twice')"] * SCHEMA_VERSION + ["create table t (i int)"]
    )
    monkeypatch.setattr(schema, "SCHEMA_VERSION", SCHEMA_VERSION + 1)

    prepare(con)

    assert con.execute("from t").fetchall() == []
    assert facts(con)["schema_version"] == str(SCHEMA_VERSION + 1)


def test_a_migration_that_fails_leaves_the_ledger_as_it_was(con, monkeypatch):
    before_versions(con, 1)
    before = columns(con), facts(con)
    monkeypatch.setattr(schema, "MIGRATIONS", [*MIGRATIONS, "select error('disk full')"])
    monkeypatch.setattr(schema, "SCHEMA_VERSION", SCHEMA_VERSION + 1)

    with pytest.raises(duckdb.Error, match="disk full"):
        prepare(con)

    assert (columns(con), facts(con)) == before


def test_a_ledger_of_a_newer_version_is_refused_with_what_to_do(con):
    prepare(con)
    con.execute("update ledger.facts set value = '99' where name = 'schema_version'")

    with pytest.raises(LedgerError, match="Use the code that wrote it"):
        prepare(con)


def test_a_ledger_with_other_hashes_is_refused_with_what_to_do(con):
    prepare(con)
    con.execute("update ledger.facts set value = '0' where name = 'hash_version'")

    with pytest.raises(LedgerError, match="Rebuild it from the landing zone"):
        prepare(con)
