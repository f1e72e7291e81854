"""Lists to act on, from predictions in the snapshot."""

import duckdb
import pytest

from ecom_assets import catalog
from ecom_assets.engine.duckdb.tables import columns_of
from ecom_assets.serving.predictions import LISTS, NothingPredicted, rows_of


@pytest.fixture
def published() -> duckdb.DuckDBPyConnection:
    """The tables of predictions as the snapshot has them, without rows."""
    con = duckdb.connect()
    con.execute("create schema predictions")
    tables = [table for table in catalog.tables() if table.name.startswith("predictions.")]
    for table in tables:
        columns = ", ".join(f'"{name}" {kind}' for name, kind in columns_of(table).items())
        con.execute(f"create table {table.name} ({columns})")
    for table in tables:
        if table.view:
            con.execute(f"create view {table.view[0]} as {table.view[1]}")
    return con


@pytest.mark.parametrize("name", LISTS)
def test_each_list_reads_what_is_published(published, name):
    assert rows_of(published, name, 5).fetchall() == []


def test_who_is_overdue_is_listed_by_value_and_only_of_the_last_cut_off(published):
    rows = [
        ("2024-01-28", "old", -5, 9.0),
        ("2024-02-04", "small", -1, 1.0),
        ("2024-02-04", "large", -2, 8.0),
        ("2024-02-04", "on time", 3, 99.0),
    ]
    for cut_off, customer, days, value in rows:
        published.execute(
            "insert into predictions.customer_value (cut_off, customer_id, days_until_overdue, expected_value_365d) "
            "values (?, ?, ?, ?)",
            [cut_off, customer, days, value],
        )

    assert [row[:2] for row in rows_of(published, "risk", 9).fetchall()] == [("large", 2), ("small", 1)]
    assert len(rows_of(published, "risk", 1).fetchall()) == 1


def test_without_predictions_it_is_said_what_to_do():
    with pytest.raises(NothingPredicted, match="run the days up to a Sunday"):
        rows_of(duckdb.connect(), "risk", 1)
