"""Rows that differ have other hashes, also where their values only change places or are alike."""

from itertools import product

import duckdb
import pytest

from ecom_assets.engine.duckdb.hashing import row_hash


def hashes(sql_type, rows):
    """The hash of each row of three columns of a type."""
    columns = dict.fromkeys(["a", "b", "c"], sql_type)
    listed = ", ".join(f"({number}, {', '.join(row)})" for number, row in enumerate(rows))
    typed = ", ".join(f"{name}::{sql_type} as {name}" for name in columns)
    query = f"select {row_hash(columns)} from (select n, {typed} from (values {listed}) t (n, a, b, c)) order by n"
    with duckdb.connect() as con:
        return [value for (value,) in con.execute(query).fetchall()]


@pytest.mark.parametrize(
    ("sql_type", "values"),
    [
        ("BIGINT", ["null", "0", "5", "7"]),
        ("DECIMAL(18,4)", ["null", "0", "25", "49.5"]),
        ("VARCHAR", ["null", "''", "'a'", "'b'"]),
        ("TIMESTAMP", ["null", "'2024-01-01 10:00'", "'2024-01-02 10:00'"]),
        ("BOOLEAN", ["null", "true", "false"]),
    ],
)
def test_rows_of_few_values_all_have_hashes_of_their_own(sql_type, values):
    rows = list(product(values, repeat=3))

    assert len(set(hashes(sql_type, rows))) == len(rows)


def test_a_column_that_is_added_changes_nothing_where_it_is_null():
    with duckdb.connect() as con:
        [(before, after)] = con.execute(
            f"select {row_hash({'a': 'BIGINT'})}, {row_hash({'b': 'VARCHAR', 'a': 'BIGINT'})} "
            "from (select 1::bigint as a, null::varchar as b)"
        ).fetchall()

    assert before == after
