"""Each table is an asset that its users find, understand and may start."""

from pathlib import Path

import dagster as dg
import narwhals as nw
import pytest

from ecom_assets import catalog
from ecom_assets.contract import Date, Table, contract, key
from ecom_assets.definitions import build
from ecom_assets.orchestration.assets import asset_key
from ecom_assets.settings import Settings
from ecom_assets.table_asset import table_asset

DEFS = build(Settings(Path()))
SPECS = {spec.key.to_user_string(): spec for spec in DEFS.resolve_all_asset_specs()}


class Unstored(Table, name="gold.unstored", primary_key="day"):
    """One row per day."""

    day: Date = key("Business day")


def passed_on(silver_orders: nw.LazyFrame) -> nw.LazyFrame:
    return silver_orders


OF_NO_TABLE = ("quality", "exports", "extracts")
"""Groups of assets that are about many tables."""


@pytest.mark.parametrize("name", sorted(SPECS))
def test_each_asset_says_what_it_is_whose_it_is_and_where_it_stands(name: str) -> None:
    spec = SPECS[name]

    assert spec.description
    assert spec.owners == ["team:data-platform"]
    assert spec.group_name == spec.key.path[0]
    assert spec.key.path[0] in spec.kinds
    if spec.group_name not in ("landing", *OF_NO_TABLE):
        assert spec.metadata["dagster/table_name"] == ".".join(spec.key.path)
    if spec.group_name not in OF_NO_TABLE:
        assert spec.metadata["dagster/column_schema"].columns
        assert spec.metadata["dagster/code_references"].code_references[0].file_path.endswith(".py")


@pytest.mark.parametrize("name", sorted(catalog.tables().names))
def test_each_column_is_described_on_the_definition(name: str) -> None:
    columns = SPECS[name.replace(".", "/")].metadata["dagster/column_schema"].columns

    assert [column.name for column in columns if not column.description] == []
    assert {column.name for column in columns} >= set(catalog.tables()[name].contract.columns)


@pytest.mark.parametrize("name", sorted(catalog.tables().names))
def test_one_run_may_cover_many_days_and_writes_alone(name: str) -> None:
    asset = DEFS.get_assets_def(asset_key(name))

    assert asset.partitions_def == dg.DailyPartitionsDefinition("2024-01-01", timezone="UTC")
    assert asset.backfill_policy == dg.BackfillPolicy.single_run()
    assert asset.op.pool == "warehouse"


def test_the_code_reference_leads_to_the_transform() -> None:
    module = catalog.modules()["kpi.daily_sales"]
    [place] = SPECS["kpi/daily_sales"].metadata["dagster/code_references"].code_references

    assert place.file_path == module.__file__
    assert place.line_number == module.transform.__code__.co_firstlineno


def test_what_comes_from_a_feed_is_found_by_its_tag() -> None:
    tagged = {asset for asset, spec in SPECS.items() if spec.tags.get("feed") == "orders"}

    assert tagged == {"landing/orders", "bronze/orders", "silver/orders", "quarantine/orders"}


@pytest.mark.parametrize(
    ("asset", "domain"),
    [
        ("landing/orders", "sales"),
        ("silver/purchase_receipts", "stock"),
        ("quarantine/customers", "customers"),
        ("gold/fact_sales", "sales"),
        ("kpi/attribution", "marketing"),
        ("kpi/daily_stock_reconciliation", "quality"),
        ("kpi/daily_product_sales", "products"),
        ("features/customer_features", "customers"),
        ("quality/detection", "quality"),
    ],
)
def test_an_asset_belongs_to_a_part_of_the_business(asset: str, domain: str) -> None:
    assert SPECS[asset].tags["domain"] == domain


def test_each_asset_has_the_version_of_its_file() -> None:
    versions = {name: spec.code_version for name, spec in SPECS.items() if spec.group_name not in OF_NO_TABLE}

    assert all(versions.values())
    assert versions["silver/orders"] == versions["quarantine/orders"] != versions["silver/payments"]


def test_a_day_without_good_rows_blocks_and_its_check_says_so() -> None:
    graph = DEFS.resolve_asset_graph()

    for name in catalog.tables().names:
        assert graph.get(dg.AssetCheckKey(asset_key(name), "contract")).blocking, name


def test_a_table_that_refers_to_another_comes_after_it() -> None:
    upstream = {dep.asset_key for dep in SPECS["silver/orders"].deps}

    assert upstream == {
        asset_key("bronze.orders"),
        asset_key("silver.customers"),
        asset_key("silver.customer_merges"),
        asset_key("silver.exchange_rates"),
    }


def test_a_table_without_a_day_cannot_be_an_asset() -> None:
    with pytest.raises(TypeError, match=r"gold\.unstored has no partition_column"):
        table_asset(Unstored, passed_on)


def test_only_money_can_be_the_amount_of_a_day() -> None:
    class Counted(Unstored, name="gold.counted", partition_column="day", amount="day"):
        """One row per day."""

    with pytest.raises(TypeError, match=r"gold\.counted: amount='day' must name a money\(\) column"):
        contract(Counted)
