"""The proof on real data: Northwind's tables through every layer, and the figures that SQL gives on the raw files."""

from collections.abc import Iterator

import pytest

from ecom_assets_tests.real_data import RealData, only_with, run_through

HALF_A_CENT = "0.005"

pytestmark = [pytest.mark.slow, only_with("northwind")]


@pytest.fixture(scope="module")
def northwind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealData]:
    with run_through("northwind", tmp_path_factory.mktemp("northwind")) as northwind:
        yield northwind


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


def test_defects(northwind: RealData) -> None:
    found = northwind.query("""
        select (select count(*) from gold.dim_customer_versions where customer_id not in (
                    select customer_id from gold.fact_sales)),
               count(distinct order_id) filter (status <> 'shipped')
        from gold.fact_sales""")

    assert found == [(2, 21)]
