"""The proof on real data: CDNOW's purchases through every layer, and the figures of its published totals."""

from collections.abc import Iterator

import pytest

from ecom_assets_tests.real_data import RealData, only_with, run_through

GOALS = ["kpi.daily_sales", "kpi.monthly_cohorts"]
"""The tables that hold what is compared."""
pytestmark = [pytest.mark.slow, only_with("cdnow")]


@pytest.fixture(scope="module", params=[GOALS, pytest.param((), marks=pytest.mark.long)], ids=["needed", "all"])
def cdnow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealData]:
    with run_through("cdnow", tmp_path_factory.mktemp("cdnow"), goals=request.param) as cdnow:
        yield cdnow


def test_every_line_is_an_order_and_every_day_good(cdnow: RealData) -> None:
    assert cdnow.refused_days() == []
    assert cdnow.query("select count(*) from gold.fact_sales where is_valid") == [(cdnow.report.lines,)]


def test_daily_figures(cdnow: RealData) -> None:
    cdnow.matches("master_daily", "select day as d, orders as transactions, net_sales as value from kpi.daily_sales")


def test_monthly_figures(cdnow: RealData) -> None:
    cdnow.matches(
        "master_monthly",
        """select strftime(ordered_on, '%Y-%m') as "month", count(*) as transactions,
                  count(distinct customer_id) as customers, sum(net_amount) as value, sum(quantity)::bigint as cds
        from gold.fact_sales group by all""",
    )


def test_totals(cdnow: RealData) -> None:
    cdnow.matches(
        "master_totals",
        """select sum(orders)::bigint as transactions, sum(units)::bigint as cds, sum(net_sales) as value,
                  min(day) as first_day, max(day) as last_day,
                  (select count(distinct customer_id) from gold.agg_customer_metrics) as customers
        from kpi.daily_sales""",
    )


def test_customers_who_bought_on_more_than_one_day(cdnow: RealData) -> None:
    cdnow.matches(
        "master_repeat",
        """select count(*) as customers, count(*) filter (days > 1) as repeat_customers,
                  round(100 * repeat_customers / customers, 6) as pct
        from (select customer_id, count(*) as days from gold.agg_customer_metrics where orders > 0 group by all)""",
    )


def test_cohorts(cdnow: RealData) -> None:
    cdnow.matches(
        "cohort_retention",
        """select strftime(cohort, '%Y-%m') as cohort, month_offset, active_customers as customers
        from kpi.monthly_cohorts where active_customers > 0""",
    )
