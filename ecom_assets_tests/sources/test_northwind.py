"""The proof on real data: Northwind's tables through every layer, and the figures that SQL gives on the raw files."""

import csv
from collections.abc import Iterator

import pytest

from ecom_assets_tests.real_data import RealData, only_with, run_through, source

HALF_A_CENT = "0.005"
GOALS = ["kpi.daily_category_sales", "kpi.daily_product_sales", "kpi.daily_sales"]
GOALS += ["gold.dim_supplier_versions", "gold.fact_inventory_daily", "gold.fact_shipments"]
"""The tables that hold what is compared."""

pytestmark = [pytest.mark.slow, only_with("northwind")]


@pytest.fixture(scope="module", params=[GOALS, pytest.param((), marks=pytest.mark.long)], ids=["needed", "all"])
def northwind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealData]:
    with run_through("northwind", tmp_path_factory.mktemp("northwind"), goals=request.param) as northwind:
        yield northwind


def test_every_day_is_good(northwind: RealData) -> None:
    assert northwind.refused_days() == []


def test_totals(northwind: RealData) -> None:
    northwind.matches(
        "totals",
        """select sum(orders)::bigint as orders, sum(gross_sales) as gross, sum(net_sales) as net,
                  sum(shipping) as freight, min(day) as first_day, max(day) as last_day,
                  (select count(*) from gold.fact_sales) as n_lines,
                  (select count(distinct customer_id) from gold.dim_customer_versions) as customers,
                  (select count(distinct product_id) from gold.dim_product_versions) as products
        from kpi.daily_sales""",
        HALF_A_CENT,
    )


def test_monthly_figures(northwind: RealData) -> None:
    northwind.matches(
        "monthly",
        """select strftime(day, '%Y-%m') as "month", sum(orders)::bigint as orders, sum(net_sales) as net
        from kpi.daily_sales group by all""",
        HALF_A_CENT,
    )


def test_sales_by_category(northwind: RealData) -> None:
    northwind.matches(
        "by_category",
        """select category, sum(net_sales) as net, sum(units)::bigint as quantity
        from kpi.daily_category_sales group by all""",
        HALF_A_CENT,
    )


def test_sales_by_country(northwind: RealData) -> None:
    northwind.matches(
        "by_country",
        """select c.country, count(distinct order_id) as orders, sum(net_amount) as net
        from gold.fact_sales join gold.dim_customer_versions c using (customer_id) group by all""",
        HALF_A_CENT,
    )


def test_best_sellers(northwind: RealData) -> None:
    northwind.matches(
        "top_products",
        """select name as productname, sum(net_sales) as net
        from kpi.daily_product_sales join gold.dim_product_versions using (product_id)
        group by all order by net desc limit 20""",
        HALF_A_CENT,
    )


def test_stock(northwind: RealData) -> None:
    northwind.matches(
        "inventory",
        """select count(*) as products, sum(on_hand)::bigint as units_in_stock,
                  count(*) filter (on_hand = 0) as out_of_stock, sum(on_hand * price) as stock_value
        from gold.fact_inventory_daily join gold.dim_product_versions using (product_key) where day = '2021-11-06'""",
    )


def test_suppliers_and_shippers(northwind: RealData) -> None:
    assert northwind.query("select count(*) from gold.dim_supplier_versions") == [(29,)]
    assert northwind.query("select carrier from gold.fact_shipments group by all order by all") == [
        ("federal shipping",),
        ("speedy express",),
        ("united package",),
    ]


def test_defects(northwind: RealData) -> None:
    found = dict(
        northwind.query("""
        select 'orders not shipped', count(*) filter (shipped_at is null) from gold.fact_shipments
        union all
        select 'shipped after required', count(*) filter (shipped_at::date > promised_on) from gold.fact_shipments
        union all
        select 'customers without order', count(*) from gold.dim_customer_versions
        anti join gold.fact_sales using (customer_id)
        union all
        select 'orders with unknown customer', count(*) from quarantine.orders
        union all
        select 'lines without order', count(*) from quarantine.order_items
        union all
        select 'lines below list price', count(*)
        from gold.fact_sales join gold.dim_product_versions using (product_key) where unit_price < price
        union all
        select 'discontinued products', count(*) from gold.dim_product_versions where not is_active""")
    )

    with (source("northwind") / "expected" / "defects.csv").open(newline="") as file:
        assert found == {row["check_name"]: int(row["n"]) for row in csv.DictReader(file)}
