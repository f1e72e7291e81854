"""Extracts of a shop's own database: each row once, all tables of one moment, whatever is killed."""

import datetime as dt
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.cli.main import main
from ecom_assets.errors import UserError
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration.extract_asset import extract_asset
from ecom_assets.postgres.connection import DatabaseError
from ecom_assets.settings import Settings, save
from ecom_assets.sources.feed_map import FeedMapError, extracted, land, load_map
from ecom_assets_tests.postgres_server import Server
from ecom_assets_tests.sources.landing import rows

MAP = """
[source]
time_zone = "Europe/Berlin"

[sources.orders]
postgres = "shop.orders"
updated_at = "changed"
key = ["id"]
deletes = "missing"

[sources.lines]
postgres = "shop.lines"
updated_at = "changed"

[feed.orders]
sql = \"\"\"
select id as order_id, placed as ordered_at, changed as updated_at, state as status, 'web' as channel, 0 as discount,
    0 as shipping, 0 as tax, is_gone as is_deleted
from orders
\"\"\"

[feed.order_items]
sql = \"\"\"
select order_id, line as line_number, sku as product_id, placed as ordered_at, changed as updated_at, units as quantity,
    price as unit_price, 0 as discount
from lines
\"\"\"
"""
SCHEMA = """
create schema shop;
create table shop.orders (
    id int primary key, placed timestamptz not null default '2024-03-01 23:30+00', changed timestamptz, state text
);
create table shop.lines (
    order_id int, line int, sku text, units int, price numeric(12, 2), placed timestamptz default '2024-03-01 23:30+00',
    changed timestamp, primary key (order_id, line)
);
"""


@pytest.fixture
def database(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database with the tables of a shop, empty."""
    with server.database() as name:
        server.run(SCHEMA, name)
        monkeypatch.setenv("ECOM_SHOP_DATABASE", server.address(name))
        yield name


@pytest.fixture
def map_file(tmp_path: Path) -> Path:
    (tmp_path / "map.toml").write_text(MAP)
    return tmp_path / "map.toml"


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    return Zone(tmp_path / "landing")


def order(server: Server, database: str, number: int, changed: str, state: str = "paid") -> None:
    """Inserts or updates an order and its one line."""
    server.run(
        f"insert into shop.orders (id, changed, state) values ({number}, '{changed}+00', '{state}') "
        "on conflict (id) do update set changed = excluded.changed, state = excluded.state",
        database,
    )
    server.run(
        f"insert into shop.lines (order_id, line, sku, units, price, changed) values ({number}, 1, 'MUG', 2, 12.5, "
        f"timestamptz '{changed}+00' at time zone 'Europe/Berlin') on conflict (order_id, line) "
        "do update set changed = excluded.changed",
        database,
    )


def extract(map_file: Path, zone: Zone, **more: object) -> dict[str, int]:
    """Lands what is new, and returns how many rows of each table that were."""
    with extracted(load_map(map_file), zone.root, **more) as found:
        if found is None:
            return {}
        land(load_map(map_file), found.folder, zone)
        return dict(found.rows)


def landed(zone: Zone, *columns: str, feed: str = "orders") -> list[tuple[object, ...]]:
    return rows(zone, feed, *columns)


def test_each_row_lands_once_on_the_day_of_its_update_and_what_is_known_already_does_not(
    server, database, map_file, zone
):
    order(server, database, 1, "2024-03-02 10:00")
    order(server, database, 2, "2024-03-02 23:30")  # the next day in Berlin
    assert extract(map_file, zone) == {"orders": 2, "lines": 2}
    assert [str(day) for day in zone.days("orders")] == ["2024-03-02", "2024-03-03"]
    assert extract(map_file, zone) == {}

    order(server, database, 2, "2024-03-04 09:00", "shipped")
    assert extract(map_file, zone) == {"orders": 1, "lines": 1}
    assert landed(zone, "order_id", "updated_at", "status") == [
        ("1", "2024-03-02 10:00:00+00", "paid"),
        ("2", "2024-03-02 23:30:00+00", "paid"),
        ("2", "2024-03-04 09:00:00+00", "shipped"),
    ]
    assert landed(zone, "order_id", "quantity", "unit_price", "updated_at", feed="order_items")[-1] == (
        *("2", "2", "12.50"),
        "2024-03-04 09:00:00+00",
    )


def test_a_row_that_was_committed_late_is_taken_within_the_overlap(server, database, map_file, zone):
    order(server, database, 1, "2024-03-02 10:00")
    extract(map_file, zone)
    order(server, database, 2, "2024-03-02 09:10")
    order(server, database, 3, "2024-03-02 08:50")
    extract(map_file, zone)
    assert [number for number, *_ in landed(zone, "order_id")] == ["1", "2"]

    map_file.write_text(MAP.replace('updated_at = "changed"', 'updated_at = "changed"\noverlap = "2 hours"'))
    extract(map_file, zone)
    assert [number for number, *_ in landed(zone, "order_id")] == ["1", "2", "3"]


def test_a_row_that_is_gone_retracts_its_key_once(server, database, map_file, zone):
    for number in (1, 2):
        order(server, database, number, "2024-03-02 10:00")
    extract(map_file, zone)
    server.run("delete from shop.orders where id = 1", database)
    assert extract(map_file, zone) == {"orders": 1, "lines": 0}
    assert extract(map_file, zone) == {}

    assert landed(zone, "order_id", "status", "is_deleted")[-1] == ("1", "paid", "true")
    order(server, database, 1, "2024-03-05 10:00")
    assert extract(map_file, zone) == {"orders": 1, "lines": 1}
    assert ("1", None) in landed(zone, "order_id", "is_deleted")


def test_all_tables_are_of_one_moment(server, database, map_file, zone):
    order(server, database, 1, "2024-03-02 10:00")

    def change(step, share):
        if step == "reading lines":
            order(server, database, 2, "2024-03-02 10:01")

    assert extract(map_file, zone, told=change) == {"orders": 1, "lines": 1}
    assert extract(map_file, zone) == {"orders": 1, "lines": 1}


def test_a_table_without_updated_at_is_compared_whole(server, database, tmp_path, zone):
    text = """
    [source]
    postgres = "shop.customers"

    [feed.customers]
    sql = "select id as customer_id, since as changed_at, tags->>0 as city, name from lines"
    """
    (tmp_path / "map.toml").write_text(text)
    server.run("create table shop.customers (id int, since date, tags text[], name text)", database)
    server.run(
        "insert into shop.customers values (1, '2024-03-01', '{Ulm,Bonn}', 'Zoë'), (2, '2024-03-01', null, '')",
        database,
    )
    assert extract(tmp_path / "map.toml", zone) == {"lines": 2}
    server.run("update shop.customers set name = 'Ada', since = '2024-03-02' where id = 2", database)
    assert extract(tmp_path / "map.toml", zone) == {"lines": 1}
    found = landed(zone, "customer_id", "city", "name", feed="customers")
    assert found == [("1", "Ulm", "Zoë"), ("2", None, found[1][2]), ("2", None, "Ada")]


CHANGES = st.lists(
    st.tuples(st.sampled_from(["change", "delete", "extract"]), st.integers(1, 3)), min_size=3, max_size=12
)


@pytest.mark.slow
def test_after_any_changes_what_landed_says_what_the_database_has_and_no_row_twice(server, tmp_path_factory):
    @settings(max_examples=6)
    @given(CHANGES)
    def check(changes):
        folder = tmp_path_factory.mktemp("shop")
        (folder / "map.toml").write_text(MAP)
        zone = Zone(folder / "landing")
        with server.database() as database, pytest.MonkeyPatch.context() as patch:
            server.run(SCHEMA, database)
            patch.setenv("ECOM_SHOP_DATABASE", server.address(database))
            order(server, database, 9, "2024-03-02 00:00")
            for minute, (what, number) in enumerate([*changes, ("extract", 0)]):
                if what == "change":
                    order(server, database, number, f"2024-03-02 00:{minute:02}", f"state {minute}")
                elif what == "delete":
                    server.run(f"delete from shop.orders where id = {number}", database)
                else:
                    extract(folder / "map.toml", zone)
            own = server.run("select id::text, state from shop.orders order by 1", database)
        found = landed(zone, "order_id", "status", "is_deleted", "updated_at")
        with duckdb.connect() as con:
            latest = con.execute(
                "select order_id, arg_max((status, is_deleted), (updated_at, parse_filename(filename))) as last "
                "from read_parquet(?, filename = true, union_by_name = true) group by all order by 1",
                [str(zone.root / "orders" / "*" / "*.parquet")],
            ).fetchall()
        assert [(number, state) for number, (state, gone) in latest if not gone] == own
        once = [(number, state, at) for number, state, gone, at in found if not gone]
        assert len(once) == len(set(once))

    check()


KILLED = """
import os, signal, sys
from pathlib import Path
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration.extract_asset import extract_asset
from ecom_assets.sources.feed_map import extracted, land, load_map
at, map_file, root = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
def kill(*given, **more):
    os.kill(os.getpid(), signal.SIGKILL)
write, written, rename = Zone.write, [], os.rename
def write_first(zone, *given):
    if zone.root == root:
        written.append(given)
        if len(written) == 2 and at == "half landed":
            kill()
    return write(zone, *given)
def renamed(old, new):
    if at == Path(new).name.partition("-")[0]:
        kill()
    rename(old, new)
    if at == "after " + Path(new).name.partition("-")[0]:
        kill()
Zone.write, os.rename = write_first, renamed
told = lambda step, share: kill() if step == at else None
with extracted(load_map(map_file), root, told=told) as found:
    land(load_map(map_file), found.folder, Zone(root))
"""


@pytest.mark.slow
@pytest.mark.parametrize("at", ["reading lines", "half landed", "state"])
def test_a_killed_extract_goes_on_and_lands_no_row_twice(server, database, map_file, zone, at):
    order(server, database, 1, "2024-03-02 10:00")
    extract(map_file, zone)
    for number in (2, 3):
        order(server, database, number, "2024-03-03 10:00")
    server.run("delete from shop.orders where id = 1", database)
    ended = subprocess.run([sys.executable, "-c", KILLED, at, map_file, zone.root], check=False)
    assert ended.returncode == -signal.SIGKILL

    order(server, database, 4, "2024-03-04 10:00")
    while extract(map_file, zone):
        pass
    found = landed(zone, "order_id", "is_deleted")
    assert sorted(found, key=str) == [("1", "true"), ("1", None), ("2", None), ("3", None), ("4", None)]
    assert len(landed(zone, "order_id", feed="order_items")) == 4


def refusal(map_file: Path, zone: Zone) -> str:
    with pytest.raises(UserError) as found:
        extract(map_file, zone)
    assert "wrong-one" not in str(found.value)
    return str(found.value)


def test_what_is_wrong_is_said_in_a_sentence_and_changes_nothing(server, database, map_file, zone, monkeypatch):
    order(server, database, 1, "2024-03-02 10:00")
    extract(map_file, zone)
    order(server, database, 2, "2024-03-03 10:00")
    before = landed(zone, "order_id")

    server.run("alter table shop.lines rename price to amount", database)
    assert "shop.lines has no column 'price' any more; did you mean" in refusal(map_file, zone)
    server.run("alter table shop.lines rename amount to price", database)
    server.run("alter table shop.lines alter price type text using price::text", database)
    assert "shop.lines.price was of type numeric and is of type text" in refusal(map_file, zone)
    server.run("alter table shop.orders rename changed to changed_at", database)
    assert "shop.orders has no column 'changed', the updated_at of orders; did you mean" in refusal(map_file, zone)
    server.run("alter table shop.orders rename changed_at to changed", database)
    server.run("alter table shop.orders rename to purchases", database)
    assert "has no table 'shop.orders'" in refusal(map_file, zone)
    server.run("alter table shop.purchases rename to orders", database)
    assert landed(zone, "order_id") == before

    monkeypatch.setenv("ECOM_SHOP_DATABASE", server.address(database, "asks"))
    monkeypatch.setenv("PGPASSWORD", "wrong-one")
    assert 'password authentication failed for user "asks". Look at the password' in refusal(map_file, zone)
    monkeypatch.setenv("ECOM_SHOP_DATABASE", "postgres://me:wrong-one@127.0.0.1:1/shop")
    assert "Look at host and port, and whether the server runs." in refusal(map_file, zone)
    monkeypatch.delenv("ECOM_SHOP_DATABASE")
    assert refusal(map_file, zone).startswith("Set the address of the database in ECOM_SHOP_DATABASE")

    monkeypatch.setenv("ECOM_SHOP_DATABASE", server.address(database))
    assert extract(map_file, zone, other_types=True) == {"orders": 1, "lines": 1}


def test_a_server_that_goes_away_while_it_is_read_leaves_all_to_the_next_extract(server, database, map_file, zone):
    order(server, database, 1, "2024-03-02 10:00")

    def cut(step, share):
        if step == "reading lines":
            server.run(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'")

    with pytest.raises(DatabaseError, match="The connection to PostgreSQL was lost"):
        extract(map_file, zone, told=cut)
    assert extract(map_file, zone) == {"orders": 1, "lines": 1}


def test_a_longer_type_of_the_same_kind_is_accepted(server, database, map_file, zone):
    order(server, database, 1, "2024-03-02 10:00")
    extract(map_file, zone)
    server.run(
        "alter table shop.orders alter id type bigint; alter table shop.lines alter price type numeric(18, 6)", database
    )
    order(server, database, 2, "2024-03-03 10:00")
    assert extract(map_file, zone)["orders"] == 1


def test_rows_of_a_map_that_does_not_land_are_read_again(server, database, map_file, zone):
    order(server, database, 1, "2024-03-02 10:00")
    map_file.write_text(MAP.replace("state as status", "stat as status"))
    assert "did you mean" in refusal(map_file, zone)
    map_file.write_text(MAP)
    assert extract(map_file, zone) == {"orders": 1, "lines": 1}


TABLE_AND_FILES = (
    'postgres = "shop.lines"\nupdated_at = "changed"',
    'files = "lines.csv"\narrival_day = { fixed = 2024-03-02 }',
)


@pytest.mark.parametrize(
    ("was", "written", "complaint"),
    [
        ('key = ["id"]\n', "", "deletes needs key"),
        ('deletes = "missing"', 'deletes = "all"', "missing"),
        ('updated_at = "changed"\nkey', 'overlap = "soon"\nkey', "overlap must be like 15 minutes"),
        (*TABLE_AND_FILES, "all sources of a map are files, or tables of one database"),
        ('postgres = "shop.lines"', 'postgres = "shop.lines"\ndelimiter = ";"', "delimiter"),
    ],
)
def test_a_mistake_in_the_map_is_told(map_file, was, written, complaint):
    map_file.write_text(MAP.replace(was, written))
    with pytest.raises(FeedMapError, match=complaint):
        load_map(map_file)


def test_two_extracts_of_a_map_do_not_run_at_once(server, database, map_file, zone):
    order(server, database, 1, "2024-03-02 10:00")
    with extracted(load_map(map_file), zone.root):
        assert "Another extract of this map is under way" in refusal(map_file, zone)


def test_the_command_lands_what_is_new(server, database, map_file, tmp_path, monkeypatch):
    order(server, database, 1, "2024-03-02 10:00")
    monkeypatch.setenv("ECOM_DATA", str(tmp_path / "data"))
    checked = CliRunner().invoke(main, ["land", "--check", str(map_file)])
    assert "MUG" in checked.output
    assert "quarantined" not in checked.output
    assert not (tmp_path / "data" / "landing" / "orders").exists()
    first = CliRunner().invoke(main, ["land", str(map_file)])
    assert first.exit_code == 0, first.output
    assert f"/{database}: 1 of orders, 1 of lines." in first.output
    assert "Next: ecom run 2024-03-0" in first.output
    assert CliRunner().invoke(main, ["land", str(map_file)]).output == "Nothing is new in the database.\n"
    assert "leave out FOLDER" in CliRunner().invoke(main, ["land", str(map_file), str(tmp_path)]).output


def test_the_asset_lands_what_is_new_by_the_map_of_the_settings(server, database, map_file, tmp_path, monkeypatch):
    order(server, database, 1, "2024-03-02 10:00")
    monkeypatch.setenv("ECOM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ECOM_EXTRACT", str(map_file))
    failed = dg.materialize([extract_asset()], raise_on_error=False)
    assert "Land it once by hand, which sets the calendar" in str(failed.get_step_failure_events()[0])
    save(Settings(tmp_path / "data", dt.date(2024, 3, 1)))
    for expected in (2, 0):
        [made] = dg.materialize([extract_asset()]).asset_materializations_for_node("extracts__database")
        assert made.metadata["rows"].value == expected
    assert landed(Zone(tmp_path / "data" / "landing"), "order_id") == [("1",)]
