"""A day whose returns are bad: all that needs no returns is as it would be without any, and what does is unknown."""

import datetime as dt
from pathlib import Path

import pytest

from ecom_assets import catalog
from ecom_assets.declaration import Declaration
from ecom_assets.engine.compiling import compiled
from ecom_assets.landing.zone import Zone
from ecom_assets.sql import quoted
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.warehouses import START, run_all, session_over, small_shop, window

DAYS = 9
BAD_DAY = START + dt.timedelta(days=7)
RETURNS = "gold.fact_returns"
NEED_RETURNS = {"silver.returns", RETURNS, "kpi.daily_reconciliation"}
"""The tables that cannot be made of a day without its returns."""
SETTLED = "kpi.settled_reconciliation"
"""It has a row for each amount, and none of one that is unknown."""
LESS_RETURNS = [d for d in catalog.tables() if RETURNS in d.contract.unknown_without]


def built(folder: Path, returns_of_the_day: str) -> Session:
    zone = small_shop(folder, DAYS)
    feed = zone.root / "returns" / str(BAD_DAY)
    for file in feed.iterdir():
        file.unlink()
    zone.write("returns", BAD_DAY, "returns.csv", returns_of_the_day.encode())
    session = session_over(Zone(folder))
    run_all(session, window(DAYS))
    return session


HEADER = "return_id,customer_id,returned_at,updated_at,channel,quantity,amount,shipping,tax\n"
MOMENT = f"{BAD_DAY}T10:00:00Z"


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A shop that has run, on one day of which the only return cannot be read."""
    return built(tmp_path_factory.mktemp("bad"), f"{HEADER}R,,{MOMENT},{MOMENT},web,1,ten,0,0\n")


@pytest.fixture(scope="module")
def none(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """The same shop, with no return on that day."""
    return built(tmp_path_factory.mktemp("none"), HEADER)


@pytest.mark.slow
def test_only_what_is_about_returns_lacks_the_day(bad: Session):
    found = bad.con.execute(
        "select table_name from ledger.days where day = ? and state in ('failed', 'blocked')", [BAD_DAY]
    ).fetchall()

    assert {table for (table,) in found} == NEED_RETURNS
    assert bad.stale() == []


@pytest.mark.slow
@pytest.mark.parametrize("declaration", LESS_RETURNS, ids=lambda declaration: declaration.name)
def test_what_needs_returns_is_unknown_on_the_day_and_nothing_else_is(
    bad: Session, none: Session, declaration: Declaration
):
    unknown = [column.name for column in declaration.contract.unknown_without[RETURNS]]
    day, table = quoted(declaration.contract.partition_column), quoted(declaration.name)
    known = f"select * exclude ({', '.join(map(quoted, unknown))}) from {table} order by all"

    assert bad.con.execute(known).fetchall() == none.con.execute(known).fetchall()
    for column in map(quoted, unknown):
        values = f"select count(*) > 0, count({column}) from {table} where {day} = ?"
        assert bad.con.execute(values, [BAD_DAY]).fetchall() == [(True, 0)], column
        others = f"select {column} from {table} where {day} <> ? order by all"
        assert bad.con.execute(others, [BAD_DAY]).fetchall() == none.con.execute(others, [BAD_DAY]).fetchall()
    assert bad.con.execute(
        "select distinct state from ledger.days where table_name = ? and day = ?", [declaration.name, BAD_DAY]
    ).fetchall() == [("provisional",)]


@pytest.mark.slow
def test_all_other_tables_are_as_they_would_be(bad: Session, none: Session):
    others = {*NEED_RETURNS, *(d.name for d in LESS_RETURNS)}
    for declaration in catalog.tables():
        if declaration.name not in others and not declaration.is_bronze:
            rows = f"from {quoted(declaration.name)} order by all"
            expected = none.con.execute(rows).fetchall()
            if declaration.name == SETTLED:
                expected = [row for row in expected if row[:3] != (BAD_DAY, "kpi.daily_margin", "net_sales")]
            assert bad.con.execute(rows).fetchall() == expected, declaration.name


def returns_in(declaration: Declaration) -> set[str]:
    """The columns of a table that are computed from returns of the day, directly or by a table of the same day."""
    tables, of_returns = catalog.tables(), set()
    for source in compiled(declaration, tables).lineage:
        read = next(read for read in declaration.reads if read.table == source["from_table"])
        if read.reach.before != 0 or read.reach.after != 0:
            continue
        upstream = tables[source["from_table"]].contract.unknown_without.get(RETURNS, ())
        if source["from_table"] == RETURNS or source["from_column"] in {column.name for column in upstream}:
            of_returns.add(source["column_name"])
    return of_returns - {*declaration.contract.primary_key, declaration.contract.partition_column}


@pytest.mark.parametrize(
    "declaration",
    [d for d in catalog.tables() if not d.is_bronze and d.name not in {*NEED_RETURNS, SETTLED}],
    ids=lambda declaration: declaration.name,
)
def test_a_column_computed_from_returns_of_the_day_says_that_it_needs_them(declaration: Declaration):
    unknown = {column.name for column in declaration.contract.unknown_without.get(RETURNS, ())}

    assert returns_in(declaration) <= unknown
