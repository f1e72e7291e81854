"""Publishing to PostgreSQL: what changed, in one transaction, with types, keys and comments."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets import catalog
from ecom_assets.cli.main import main
from ecom_assets.contract import contract
from ecom_assets.declaration import Catalog, declare
from ecom_assets.exports.postgres import READER, publish
from ecom_assets.exports.tables import exported
from ecom_assets.postgres.connection import DatabaseError
from ecom_assets.publishing import snapshot as snapshots
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.settings import Settings
from ecom_assets.warehouse.proof import settle
from ecom_assets_tests.postgres_server import Server
from ecom_assets_tests.tiny_shop import (
    SalesOfWholeAmount,
    SalesWithCurrency,
    TinyShop,
    on,
    open_shop,
    order,
    sales_of_whole_amount,
    sales_with_currency,
    tables,
)


@pytest.fixture
def known(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "data")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a shop with an order on each of three days, published; copied for each test."""
    made = Settings(tmp_path_factory.mktemp("built"))
    with open_shop(made.data, warehouse=made.warehouse) as shop:
        for day in range(3):
            shop.land_orders(day, order(day, day, amount=10 + day))
        publish_snapshot(shop, made)
    return made.data


@pytest.fixture
def shop(built: Path, known: Settings) -> Iterator[TinyShop]:
    shutil.copytree(built, known.data)
    with open_shop(known.data, warehouse=known.warehouse) as shop:
        yield shop


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    with server.database() as name:
        yield name


def publish_snapshot(shop: TinyShop, known: Settings) -> None:
    settle(shop.session)
    snapshots.publish(shop.session, known.snapshot)


def in_postgres(server: Server, database: str, declared: Catalog) -> dict[str, list[Any]]:
    """All rows of the published tables."""
    found = {}
    with psycopg.connect(server.address(database)) as con:
        for table in exported(declared):
            columns = ", ".join(f'"{column.name}"' for column in table.columns)
            found[table.name] = sorted(con.execute(f"select {columns} from {table.name}").fetchall(), key=repr)
    return found


def in_snapshot(snapshot: Path, declared: Catalog) -> dict[str, list[Any]]:
    """The same of the snapshot."""
    with open_snapshot(snapshot) as con:
        return {table.name: sorted(con.execute(table.query).fetchall(), key=repr) for table in exported(declared)}


def versions(server: Server, database: str, table: str = "gold.sales") -> list[tuple[Any, ...]]:
    """Where each row of a table is stored, and by which transaction it was written."""
    return server.run(f"select ctid::text, xmin::text, ordered_on from {table} order by ctid", database)


@pytest.mark.slow
def test_a_whole_shop_is_in_the_database_row_for_row_with_its_types(published, server, database):
    declared = catalog.tables()
    done = publish(published, declared, server.address(database))

    expected = in_snapshot(published, declared)
    assert in_postgres(server, database, declared) == expected
    assert done.rows == sum(map(len, expected.values())) > 2_500
    kinds = {"numeric(18,4)", "text", "date", "timestamp without time zone", "bigint", "boolean", "double precision"}
    types = server.run(
        "select attrelid::regclass::text || '.' || attname, format_type(atttypid, atttypmod) from pg_attribute "
        "where attnum > 0 and attrelid::regclass::text similar to '(gold|kpi).%' and attrelid in "
        "(select oid from pg_class where relkind = 'r')",
        database,
    )
    assert kinds <= {kind for _, kind in types}
    assert dict(types)["kpi.daily_sales.net_sales"] == "numeric(18,4)"
    again = publish(published, declared, server.address(database))
    assert (again.tables, again.days, again.rows) == (0, 0, 0)


def test_only_days_with_other_rows_are_written_again_and_a_repeated_publish_writes_nothing(
    shop, known, server, database
):
    address = server.address(database)
    publish(known.snapshot, tables(), address)
    first = versions(server, database)

    shop.land_orders(1, order(1, 1, amount=100, version=1), file="later.csv")
    publish_snapshot(shop, known)
    done = publish(known.snapshot, tables(), address)

    now = versions(server, database)
    assert {row for row in first if row[2] != on(1)} < set(now)
    assert len(set(now) - set(first)) == 1
    assert done.days >= 3  # sales, their sum of the day, sums to date
    assert publish(known.snapshot, tables(), address).rows == 0
    assert versions(server, database) == now


def test_keys_and_comments_are_kept(shop, known, server, database):
    publish(known.snapshot, tables(), server.address(database))

    [key] = server.run(
        "select pg_get_constraintdef(oid) from pg_constraint where conrelid = 'gold.sales'::regclass and contype = 'p'",
        database,
    )
    assert key == ("PRIMARY KEY (ordered_on, order_id)",)
    [about] = server.run(
        "select obj_description('gold.sales'::regclass), col_description('gold.sales'::regclass, 3)", database
    )
    assert about == ("One row per order.", "What it costs")


def test_readers_may_read_what_is_published_and_write_nothing(shop, known, server, database):
    publish(known.snapshot, tables(), server.address(database))
    with psycopg.connect(server.address(database), autocommit=True) as con:
        con.execute(f"set role {READER}")
        assert con.execute("select sum(amount) from gold.sales").fetchall() == [(Decimal("33.0000"),)]
        assert con.execute("select count(*) from ledger.published").fetchall() == [(1,)]
        for statement in (
            "delete from gold.sales",
            "insert into ledger.days select * from ledger.days",
            "drop table kpi.daily",
            "create table gold.mine (id int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                con.execute(statement)


def test_what_postgres_tells_apart_survives(shop, known, server, database):
    odd = ["", "\\.", "\\N", 'a "quoted", text', "two\nlines", "null"]
    shop.con.execute("delete from gold.sales where ordered_on = ?", [on(0)])
    for text in odd:
        shop.con.execute("insert into gold.sales values (?, ?, 0.0001)", [text, on(0)])
    shop.con.execute("insert into gold.sales values ('zero' || chr(0), ?, -12345678901234.5678)", [on(0)])
    shop.con.execute("update ledger.slices set content = content + 1 where table_name = 'gold.sales'")
    shop.con.execute("update ledger.days set written_at = now() where table_name = 'gold.sales'")
    snapshots.publish(shop.session, known.snapshot)
    publish(known.snapshot, tables(), server.address(database))

    found = server.run("select order_id, amount from gold.sales where ordered_on = '2024-03-01'", database)
    assert sorted(found) == sorted(
        [*((text, Decimal("0.0001")) for text in odd), ("zero\ufffd", Decimal("-12345678901234.5678"))]
    )


def test_a_bad_day_keeps_its_last_good_rows_and_its_state_is_told(shop, known, server, database):
    address = server.address(database)
    publish(known.snapshot, tables(), address)
    before = versions(server, database)
    shop.land_orders(1, order(7, 1, amount=5_000), file="too much.csv")
    publish_snapshot(shop, known)
    publish(known.snapshot, tables(), address)

    assert versions(server, database) == before
    states = server.run("select day, state from ledger.days where table_name = 'gold.sales' order by day", database)
    assert [state for _, state in states] == ["stored", "failed", "stored"]


LANDINGS = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.sampled_from([1, 10, 5_000])), min_size=1, max_size=4),
    min_size=1,
    max_size=3,
)


@pytest.mark.slow
def test_after_any_sequence_of_publishes_the_database_equals_the_snapshot(server, tmp_path_factory):
    @settings(max_examples=4)
    @given(LANDINGS, st.data())
    def check(landings, data):
        known = Settings(tmp_path_factory.mktemp("shop"))
        with server.database() as database, open_shop(known.data, warehouse=known.warehouse) as shop:
            for number, orders in enumerate(landings):
                for day, customer, amount in orders:
                    line = order(customer, day, amount=amount, version=number)
                    shop.land_orders(day, line, file=f"{number}-{day}-{customer}.csv")
                publish_snapshot(shop, known)
                if data.draw(st.booleans(), label="published") or number == len(landings) - 1:
                    publish(known.snapshot, tables(), server.address(database))
                    assert in_postgres(server, database, tables()) == in_snapshot(known.snapshot, tables())

    check()


KILLED = """
import os, signal, sys
from pathlib import Path
from ecom_assets.exports.postgres import publish
from ecom_assets_tests.tiny_shop import tables
snapshot, address, at = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
def reach(step, share):
    if step == at:
        os.kill(os.getpid(), signal.SIGKILL)
publish(snapshot, tables(), address, on_step=reach)
"""


@pytest.mark.slow
def test_a_killed_publish_leaves_the_old_state_and_the_next_one_makes_the_new(shop, known, server, database):
    address = server.address(database)
    publish(known.snapshot, tables(), address)
    old = in_postgres(server, database, tables())
    for day in range(3):
        shop.land_orders(day, order(day, day, amount=100 + day, version=1), file="later.csv")
    publish_snapshot(shop, known)
    for at in ("kpi.daily", "committing"):
        ended = subprocess.run([sys.executable, "-c", KILLED, known.snapshot, address, at], check=False)
        assert ended.returncode == -signal.SIGKILL
        assert in_postgres(server, database, tables()) == old, at

    publish(known.snapshot, tables(), address)
    assert in_postgres(server, database, tables()) == in_snapshot(known.snapshot, tables()) != old


def test_two_publishes_take_turns(shop, known, server, database):
    address = server.address(database)
    steps = []

    def another(step, share):
        if step == "committing":
            with psycopg.connect(address, autocommit=True) as con:
                [(got,)] = con.execute("select pg_try_advisory_lock(%s)", [0x65636F6D]).fetchall()
                steps.append(got)

    publish(known.snapshot, tables(), address, on_step=another)
    assert steps == [False]


def test_an_added_column_keeps_the_table_and_what_reads_it(shop, known, server, database):
    address = server.address(database)
    publish(known.snapshot, tables(), address)
    server.run("create view public.mine as select sum(amount) from gold.sales", database)
    wider = tables(declare(contract(SalesWithCurrency), sales_with_currency))
    with open_shop(known.data, wider, known.warehouse.with_name("other.duckdb")) as other:
        publish_snapshot(other, known)
    publish(known.snapshot, wider, address)

    assert in_postgres(server, database, wider) == in_snapshot(known.snapshot, wider)
    assert server.run("select * from public.mine", database) == [(Decimal("33.0000"),)]


def test_a_changed_type_makes_the_table_anew_but_not_under_a_view_of_others(shop, known, server, database):
    address = server.address(database)
    publish(known.snapshot, tables(), address)
    server.run("create view public.mine as select sum(amount) from gold.sales", database)
    whole = tables(declare(contract(SalesOfWholeAmount), sales_of_whole_amount))
    with open_shop(known.data, whole, known.warehouse.with_name("other.duckdb")) as other:
        publish_snapshot(other, known)
    with pytest.raises(
        DatabaseError, match=r"gold\.sales has other columns now, and view mine depends on table gold\.sales"
    ):
        publish(known.snapshot, whole, address)
    server.run("drop view public.mine", database)
    publish(known.snapshot, whole, address)

    assert in_postgres(server, database, whole) == in_snapshot(known.snapshot, whole)
    assert server.run("select pg_typeof(amount)::text from gold.sales limit 1", database) == [("bigint",)]


def test_a_table_of_others_is_refused_and_left(shop, known, server, database):
    server.run("create schema gold", database)
    server.run("create table gold.sales (mine text)", database)
    with pytest.raises(DatabaseError, match=r"gold\.sales exists in .*, and is not from here"):
        publish(known.snapshot, tables(), server.address(database))
    assert server.run("select to_regclass('ledger.days'), to_regclass('gold.sales')::text", database) == [
        (None, "gold.sales")
    ]


def test_what_is_wrong_with_the_server_is_said_in_a_sentence_without_the_password(
    shop, known, server, database, monkeypatch
):
    def refusal(address):
        with pytest.raises(DatabaseError) as found:
            publish(known.snapshot, tables(), address)
        assert "wrong-one" not in str(found.value)
        return str(found.value)

    asks = server.address(database, "asks")
    assert "no password supplied. Give the password by PGPASSWORD" in refusal(asks)
    monkeypatch.setenv("PGPASSWORD", "wrong-one")
    assert 'password authentication failed for user "asks". Look at the password' in refusal(asks)
    assert 'database "none" does not exist. Look at the names' in refusal(server.address("none"))
    assert "Look at host and port, and whether the server runs." in refusal("postgres://127.0.0.1:1/shop")
    assert refusal("postgres://user:wrong-one@[host").startswith("This is no address of a database")
    assert "permission denied for database" in refusal(asks.replace("asks@", "asks:pa%24%24%3A%20w%2Frd@"))


def test_a_server_that_goes_away_leaves_the_old_state(shop, known, server, database):
    def cut(step, share):
        if step == "committing":
            server.run(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'")

    with pytest.raises(DatabaseError, match=r"The connection to PostgreSQL was lost: .*Nothing was changed"):
        publish(known.snapshot, tables(), server.address(database), on_step=cut)
    assert server.run("select to_regclass('gold.sales')", database) == [(None,)]


def test_the_command_publishes_and_takes_no_password_as_an_argument(shop, known, server, database, monkeypatch):
    monkeypatch.setenv("ECOM_DATA", str(known.data))
    monkeypatch.setattr(catalog, "tables", tables)
    told = CliRunner().invoke(main, ["export", "--to", server.address(database)])
    assert told.exit_code == 0, told.output
    assert f"/{database}: 30 rows of 12 table-days in 4 tables." in told.output
    again = CliRunner().invoke(main, ["export", "--to", server.address(database)])
    assert "already." in again.output
    refused = CliRunner().invoke(main, ["export", "--to", "postgres://me:secret@host/shop"])
    assert refused.exit_code == 1
    assert "Leave the password out" in refused.output
    assert "secret" not in refused.output
    formats = CliRunner().invoke(main, ["export", "--to", server.address(database), "--format", "csv"])
    assert "--format is for folders" in formats.output


def test_the_asset_publishes_to_the_database_of_the_settings(shop, known, server, database, monkeypatch):
    from ecom_assets.orchestration.export_asset import postgres_asset

    monkeypatch.setenv("ECOM_DATA", str(known.data))
    monkeypatch.setenv("ECOM_POSTGRES", server.address(database))
    [made] = dg.materialize([postgres_asset(tables())]).asset_materializations_for_node("exports__postgres")

    assert made.metadata["table_days"].value == 12
    assert in_postgres(server, database, tables()) == in_snapshot(known.snapshot, tables())
