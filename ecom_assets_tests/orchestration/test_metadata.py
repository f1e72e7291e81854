"""What Dagster's pages say of tables is true and readable."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest

from ecom_assets import catalog
from ecom_assets.days import Window
from ecom_assets.declaration import Declaration
from ecom_assets.engine.duckdb.tables import columns_of
from ecom_assets.orchestration import metadata
from ecom_assets.orchestration.assets import partitions_of, table_assets


def table(name: str) -> Declaration:
    return catalog.tables()[name]


def column(name: str) -> dg.TableColumn:
    layer, table_name, wanted = name.split(".")
    about = metadata.about_table(table(f"{layer}.{table_name}"), test_the_columns_shown_are_those_stored)
    [found] = [column for column in about["dagster/column_schema"].columns if column.name == wanted]
    return found


@pytest.mark.parametrize("name", sorted(catalog.tables().names))
def test_the_columns_shown_are_those_stored(name: str) -> None:
    schema = metadata.about_table(table(name), test_the_columns_shown_are_those_stored)["dagster/column_schema"]
    inner = {"event_on", "read_on", "key_hash"}

    assert {column.name for column in schema.columns} == set(columns_of(table(name))) - inner


def test_a_column_shows_what_is_asked_of_it() -> None:
    assert column("silver.order_items.quantity").constraints.other == ["greater than 0"]
    assert column("silver.order_items.order_id").constraints.other == ["in silver.orders on the same day"]
    assert column("silver.orders.order_id").constraints.unique
    assert not column("silver.order_items.order_id").constraints.unique
    assert column("silver.orders.country").constraints.nullable


def test_bronze_shows_text_of_which_nothing_is_asked() -> None:
    total = column("bronze.orders.total")

    assert (total.type, total.constraints.nullable, total.constraints.other) == ("text", True, [])
    assert metadata.contract_description(table("bronze.orders")).startswith("A file arrives")


def test_the_quarantine_shows_the_reasons_beside_the_row_as_it_came() -> None:
    schema = metadata.about_quarantine(table("silver.orders"), test_the_columns_shown_are_those_stored)[
        "dagster/column_schema"
    ]
    types = {column.name: column.type for column in schema.columns}

    assert (types["total"], types["reasons"], types["arrived_on"]) == ("text", "list of text", "date")


def test_a_table_tells_its_key_and_how_far_it_reaches() -> None:
    about = metadata.about_table(table("silver.order_items"), test_the_columns_shown_are_those_stored)

    assert about["primary_key"] == "order_id, line_number"
    assert about["day"] == "ordered_on"
    assert about["reads bronze.order_items"] == "by_event_day"


def test_an_asset_names_its_page_of_the_catalogue(tmp_path: Path) -> None:
    days = Window(dt.date(2024, 1, 1), dt.date(2024, 1, 1))
    [asset] = table_assets([table("gold.dim_channel")], partitions_of(days, "UTC"), tmp_path)

    assert asset.metadata_by_key[asset.key]["catalogue"].path == str(tmp_path / "gold.dim_channel.html")


def test_the_contract_of_a_feed_says_what_is_set_aside_and_when_a_day_fails() -> None:
    said = metadata.contract_description(table("silver.order_items"))

    assert said.startswith(
        "Rows that break a rule are quarantined. A day fails if more than 5.0% of its rows are, "
        "and at least 10 or all; feeds.toml can set both limits per feed:"
    )
    assert "- Present: order_id, line_number," in said
    assert "- quantity is greater than 0\n" in said
    assert "- product_id is in silver.products\n" in said
    assert "quantity is present" not in said


def test_the_contract_of_a_table_made_of_tables_lists_rules_and_key() -> None:
    said = metadata.contract_description(table("kpi.daily_sales"))

    assert "- Gross sales less discounts less returns make the net sales.\n" in said
    assert "- The key is unique: day, channel\n" in said


def test_expectations_are_told_apart_from_demands() -> None:
    said = metadata.expectations_description(table("silver.sessions"))

    assert "- A session with a purchase names the order." in said
    assert "No row is quarantined" not in said
    assert "- No row is quarantined" in metadata.expectations_description(table("silver.events"))


def test_the_first_column_beside_the_key_is_the_main_measure() -> None:
    assert metadata.main_measure(table("kpi.daily_sales")) == "orders"


def test_each_kpi_has_a_main_measure_but_the_one_of_values_in_several_units() -> None:
    plotted = [one for one in catalog.tables() if one.contract.layer.has_plot]

    assert [one.name for one in plotted if metadata.main_measure(one) is None] == ["kpi.daily_profiles"]
