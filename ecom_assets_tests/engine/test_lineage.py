"""What columns come from is read off the SQL that runs, for every table."""

from collections.abc import Iterator

import duckdb
import narwhals as nw
import pytest

from ecom_assets import catalog
from ecom_assets.declaration import Declaration
from ecom_assets.engine.compiling import compiled
from ecom_assets.engine.duckdb.tables import columns_of
from ecom_assets.engine.lineage import column_lineage, read_off
from ecom_assets.serving.published_tables import VIEWS

TABLES = catalog.tables()
LAZY = [table.name for table in TABLES if not table.is_bronze and not table.is_eager]
SALES = ("shop", "day", "amount")


def sources(name: str) -> set[str]:
    """What a column comes from, in full: "gold.fact_sales.net_amount" from "silver.order_items.quantity" and others."""
    table, _, column = name.rpartition(".")
    lineage = compiled(TABLES[table], TABLES).lineage
    return {f"{one['from_table']}.{one['from_column']}" for one in lineage if one["column_name"] == column}


def from_nothing(table: Declaration, column: str) -> bool:
    """Whether a column counts rows, is a literal, or comes from the days of the window alone."""
    kind, sql = table.contract.columns[column].kind, str(compiled(table, TABLES).transform)
    is_literal = f"' AS {column}" in sql or f'\' AS "{column}"' in sql
    of_the_window = table.wants_days and (kind == "date" or not table.reads)
    return kind == "integer" or of_the_window or (kind == "text" and is_literal)


@pytest.mark.parametrize("name", LAZY)
def test_each_column_comes_from_columns_that_there_are(name: str) -> None:
    table = TABLES[name]
    lineage = compiled(table, TABLES).lineage
    known = set(columns_of(table))

    for one in lineage:
        assert one["from_table"] in {read.table for read in table.reads}
        assert one["from_column"] in columns_of(TABLES[one["from_table"]])
        assert one["column_name"] in known
    for column in set(table.contract.columns) - {one["column_name"] for one in lineage}:
        assert from_nothing(table, column), f"{name}.{column} comes from nothing"


def test_a_table_made_in_memory_has_no_sql_to_read_it_off() -> None:
    in_memory = {name for name in TABLES.names if TABLES[name].is_eager}
    assert {name for name in in_memory if not name.startswith("predictions.")} == {
        "features.known_survivors",
        "gold.fact_customer_merges",
        "kpi.weekly_channel_weights",
    }
    assert sources("kpi.weekly_channel_weights.journeys") == set()


def test_a_ratio_comes_from_both_its_parts() -> None:
    sales = "gold.agg_daily_sales"

    assert sources("kpi.daily_sales.aov") == {f"{sales}.gross_sales", f"{sales}.discounts", f"{sales}.orders"}


def test_what_a_line_brings_comes_from_its_price_and_its_share_of_the_orders_discount() -> None:
    line = {f"silver.order_items.{name}" for name in ("quantity", "unit_price", "discount", "order_id", "line_number")}

    included = {f"gold.fact_included_taxes.{name}" for name in ("gross_tax", "line_discount_tax", "order_discount_tax")}

    assert sources("gold.fact_sales.net_amount") == {*line, *included, "silver.orders.discount"}
    assert sources("gold.fact_sales.customer_id") == {"silver.orders.customer_id"}


def test_what_was_read_comes_from_the_text_of_that_name_and_a_business_day_from_its_moment() -> None:
    assert sources("silver.orders.total") == {"bronze.orders.total"}
    assert sources("silver.orders.ordered_on") == {"bronze.orders.ordered_at"}
    assert sources("silver.orders.source_file") == {"bronze.orders.source_file"}
    assert sources("silver.shipments.shipped_on") == {"bronze.shipments.shipped_at"}


OF_NOBODY = {
    ("silver.events", "campaign_id"): "a shop's rule may look at any column",
    ("silver.events", "channel"): "a shop's rule may look at any column",
    ("silver.order_completions", "cart_id"): "the first event of a device has it",
    ("silver.order_completions", "event_id"): "the first event of a device has it",
    ("gold.dim_customer_versions", "region"): "the last one known of the customer",
    ("gold.dim_customer_versions", "country"): "the last one known of the customer",
    ("gold.agg_channel_steps", "step_from"): "a channel, in the order of the customer's visits",
    ("gold.agg_channel_steps", "step_to"): "a channel, in the order of the customer's visits",
    ("kpi.monthly_insights", "item"): "top customers or others, by the order of customers",
}
"""Texts that personal columns decide about, and of which no value is personal."""


def personal_sources(table: Declaration) -> set[tuple[str, str]]:
    """The columns of a table, and the personal columns that they come from, by name where there is no SQL."""
    inputs = [TABLES[read.table] for read in table.reads if read.parameter]
    of_inputs = {(source.name, name) for source in inputs for name in source.contract.personal}
    if table.is_eager:
        return {(name, name) for _, name in of_inputs}
    lineage = compiled(table, TABLES).lineage
    return {(one["column_name"], one["from_column"]) for one in lineage if (*list(one.values())[1:],) in of_inputs}


@pytest.mark.parametrize("name", [table.name for table in TABLES if not table.is_bronze])
def test_a_text_from_a_personal_column_is_personal(name: str) -> None:
    table = TABLES[name]
    texts = {column.name for column in table.contract.columns.values() if column.kind == "text"}
    found = {column for column, _ in personal_sources(table) if column in texts}

    assert found - table.contract.personal - {column for of, column in OF_NOBODY if of == name} == set()


def test_columns_that_views_pass_on_are_personal_there_too() -> None:
    personal = {name for table in TABLES for name in table.contract.personal}
    listed = {(view.name, column.name): column.personal for view in VIEWS for column in view.columns}

    assert {of for of, is_personal in listed.items() if of[1] in personal and not is_personal} == set()
    assert listed["gold.transactions", "customer_id"]


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        for table in ("sales", "refunds"):
            con.execute(f"create table {table} (shop varchar, day date, amount integer)")
        yield con


def frame(con: duckdb.DuckDBPyConnection, table: str) -> nw.LazyFrame:
    return nw.from_native(con.table(table))


def made_of(con: duckdb.DuckDBPyConnection, query: nw.LazyFrame | str) -> dict[str, set[str]]:
    """Column of a query on the two tables to what it comes from."""
    inputs = {table: {name: frozenset([(table, name)]) for name in SALES} for table in ("sales", "refunds")}
    sql = query if isinstance(query, str) else query.to_native().sql_query()
    return {name: {".".join(one) for one in found} for name, found in read_off(con, sql, inputs).items()}


def test_a_window_counts_by_what_and_in_which_order(con: duckdb.DuckDBPyConnection) -> None:
    so_far = nw.col("amount").cum_sum().over("shop", order_by="day")

    found = made_of(con, frame(con, "sales").select("shop", so_far=so_far))

    assert found == {"shop": {"sales.shop"}, "so_far": {"sales.amount", "sales.shop", "sales.day"}}


def test_a_key_comes_from_the_side_that_gives_it(con: duckdb.DuckDBPyConnection) -> None:
    refunds = frame(con, "refunds").select("shop", refunded="amount")

    kept = made_of(con, frame(con, "sales").join(refunds, on="shop", how="left").select("shop", "refunded"))
    either = made_of(con, frame(con, "sales").join(refunds, on="shop", how="full").select("shop", "shop_right"))
    only = made_of(con, "select * from sales anti join refunds on sales.shop = refunds.shop")

    assert kept == {"shop": {"sales.shop"}, "refunded": {"refunds.amount"}}
    assert either == {"shop": {"sales.shop"}, "shop_right": {"refunds.shop"}}
    assert only == {name: {f"sales.{name}"} for name in SALES}


def test_what_is_stacked_comes_from_each_part(con: duckdb.DuckDBPyConnection) -> None:
    parts = [frame(con, table).select("amount", kind=nw.lit(table)) for table in ("sales", "refunds", "sales")]

    found = made_of(con, nw.concat(parts).group_by("kind").agg(nw.col("amount").sum(), lines=nw.len()))

    assert found == {"kind": set(), "amount": {"sales.amount", "refunds.amount"}, "lines": set()}


def test_a_filter_decides_about_rows_and_a_condition_about_the_value(con: duckdb.DuckDBPyConnection) -> None:
    of_today = frame(con, "sales").filter(nw.col("shop") == "here").select("amount")
    here = nw.when(nw.col("shop") == "here").then(nw.col("amount"))

    assert made_of(con, of_today) == {"amount": {"sales.amount"}}
    assert made_of(con, frame(con, "sales").select(here=here)) == {"here": {"sales.amount", "sales.shop"}}


@pytest.mark.parametrize(
    "sql",
    [
        "select (select max(amount) from refunds) as most from sales",
        "select columns('.*') from sales",
        "select * exclude (day) from sales",
        "select * from sales, refunds",
        "select amount from sales join sales using (shop)",
        "select * from sales, unnest([1])",
        "select amount from sales union by name select * from refunds",
        "select shop from sales as s(amount, day, shop)",
        "select list_transform([1], lambda shop: shop + 1) as numbers from sales",
        "pivot sales on shop using sum(amount)",
    ],
)
def test_sql_of_another_form_is_not_guessed_at(con: duckdb.DuckDBPyConnection, sql: str) -> None:
    with pytest.raises(LookupError):
        made_of(con, sql)


def test_a_table_of_another_form_has_no_lineage_and_runs_all_the_same(con: duckdb.DuckDBPyConnection) -> None:
    daily_sales = TABLES["kpi.daily_sales"]
    sql = str(compiled(daily_sales, TABLES).transform)

    assert column_lineage(con, daily_sales, TABLES, sql)
    assert column_lineage(con, daily_sales, TABLES, sql.replace("SELECT *", "SELECT * EXCLUDE (asp)")) == []
