"""The proof on real data: Online Retail's files through every layer, and the figures others computed from them."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import narwhals as nw
import pytest

from ecom_assets.days import Window
from ecom_assets.gold import agg_customer_days, agg_customer_metrics
from ecom_assets.kpi import customer_rfm, daily_repeat_rates, monthly_cohorts
from ecom_assets_tests.real_data import RealData, only_with, run_through, source

SOURCE = source("online_retail")
DECEMBER = Window.parse("2010-12-01..2010-12-31")
WHOLE_YEAR = Window.parse("2010-12-01..2011-12-09")

pytestmark = [pytest.mark.slow, only_with("online_retail")]
only_whole_year = pytest.mark.parametrize("retail", [pytest.param(WHOLE_YEAR, marks=pytest.mark.long)], indirect=True)

LINES = """
create view lines as
with orders as (
    select order_id, customer_id, country from silver.orders
    union all select order_id, customer_id, country from quarantine.orders),
items as (
    select arrived_on, source_file, record, order_id, product_id, ordered_at as sold_at, quantity, unit_price
    from silver.order_items
    union all
    select arrived_on, source_file, record, order_id, product_id, ordered_at::timestamp, quantity::bigint,
           unit_price::decimal(18, 4)
    from quarantine.order_items),
returned as (
    select arrived_on, source_file, record, return_id, product_id, returned_at as sold_at, quantity, amount,
           customer_id, country
    from silver.returns
    union all
    select arrived_on, source_file, record, return_id, product_id, returned_at::timestamp, quantity::bigint,
           amount::decimal(18, 4), customer_id, country
    from quarantine.returns)
select order_id as invoice, false as cancelled, product_id, sold_at, quantity, quantity * unit_price as amount,
       customer_id, country
from items join orders using (order_id)
union all
select split_part(return_id, '-', 1), true, product_id, sold_at, -quantity, -amount, customer_id, country from returned
"""
"""Accepted and quarantined rows together, as they were sold and taken back."""

AS_SENT = """
create view as_sent as
select b.description from bronze.order_items b semi join (
    select arrived_on, source_file, record from silver.order_items
    union all select arrived_on, source_file, record from quarantine.order_items
) using (arrived_on, source_file, record)
union all
select b.description from bronze.returns b semi join (
    select arrived_on, source_file, record from silver.returns
    union all select arrived_on, source_file, record from quarantine.returns
) using (arrived_on, source_file, record)
"""
"""The descriptions of accepted and quarantined rows, with the blanks that silver strips."""

CLEAN = "create view clean as from gold.fact_sales where customer_id is not null and unit_price > 0"


@pytest.fixture(
    scope="module", params=[DECEMBER, pytest.param(WHOLE_YEAR, marks=pytest.mark.long)], ids=["december", "year"]
)
def retail(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealData]:
    days: Window = request.param
    folder = tmp_path_factory.mktemp("online_retail")
    export = SOURCE
    if days != WHOLE_YEAR:
        export = folder / "export"
        export.mkdir()
        for file in (SOURCE / "by-day").iterdir():
            if dt.date.fromisoformat(file.name.partition(".")[0]) in days:
                (export / file.name).symlink_to(file)
    with run_through("online_retail", folder, days, export) as retail:
        for view in (LINES, AS_SENT, CLEAN):
            retail.query(view)
        yield retail


def test_every_line_ends_in_one_place(retail: RealData) -> None:
    [(bronze, fates, places)] = retail.query("""
        with fates as (
            select 'order_items' as feed, arrived_on, source_file, record from silver.order_items
            union all select 'order_items', arrived_on, source_file, record from quarantine.order_items
            union all select 'order_items', arrived_on, source_file, record from superseded.order_items
            union all select 'returns', arrived_on, source_file, record from silver.returns
            union all select 'returns', arrived_on, source_file, record from quarantine.returns
            union all select 'returns', arrived_on, source_file, record from superseded.returns),
        bronze as (
            select 'order_items' as feed, arrived_on, source_file, record from bronze.order_items
            union all select 'returns', arrived_on, source_file, record from bronze.returns)
        select (select count(*) from bronze), (select count(*) from fates),
               (select count(*) from (from bronze intersect from fates))""")

    assert bronze == fates == places == retail.report.lines == (541_909 if retail.days == WHOLE_YEAR else 42_481)


def test_the_lines_are_those_of_the_files(retail: RealData) -> None:
    retail.query(f"""
        create or replace temp view sent as
        select InvoiceNo, StockCode, Quantity::bigint, Quantity::bigint * UnitPrice::decimal(18, 4),
               replace(CustomerID, '.0', ''), Country
        from read_csv('{SOURCE}/by-day/*.csv.gz', all_varchar = true, header = true)
        where InvoiceDate::date between '{retail.days.first}' and '{retail.days.last}'""")
    retail.query("""
        create or replace temp view kept as
        select invoice, product_id, quantity, amount, customer_id, country from lines""")

    assert retail.query("from sent except all from kept") == []
    assert retail.query("from kept except all from sent") == []


def test_daily_figures(retail: RealData) -> None:
    retail.matches(
        "clean_daily_revenue",
        """select ordered_on as d, count(distinct order_id) as orders, count(distinct customer_id) as customers,
                  sum(net_amount) as revenue
        from clean group by all""",
    )
    retail.matches(
        "daily_revenue",
        """select sold_at::date as d, count(*) as n_rows, count(distinct invoice) as invoices,
                  sum(amount) as net_amount,
                  sum(amount) filter (not cancelled) as gross_amount, sum(quantity)::bigint as quantity
        from lines group by all""",
    )


def test_monthly_figures(retail: RealData) -> None:
    retail.matches(
        "clean_monthly",
        """select strftime(ordered_on, '%Y-%m') as "month", count(distinct order_id) as orders,
                  count(distinct customer_id) as customers, sum(net_amount) as revenue
        from clean group by all""",
    )
    retail.matches(
        "monthly",
        """select strftime(sold_at, '%Y-%m') as "month", count(distinct invoice) as invoices, sum(amount) as net_amount,
                  count(distinct invoice) filter (cancelled) as cancelled_invoices
        from lines group by all""",
    )


@only_whole_year
def test_totals_of_clean_sales(retail: RealData) -> None:
    retail.matches(
        "clean_totals",
        """select count(*) as n_rows, count(distinct order_id) as invoices, count(distinct customer_id) as customers,
                  sum(net_amount) as revenue
        from clean""",
    )
    retail.matches(
        "clean_totals_deduplicated",
        """select count(*) as n_rows, count(distinct order_id) as invoices, sum(net_amount) as revenue
        from (select distinct order_id, product_id, description, quantity, line.ordered_at, unit_price, net_amount,
                              customer_id, country
              from clean
              join (select order_id, line_number, ordered_at from silver.order_items) line
                  using (order_id, line_number))""",
    )


@only_whole_year
def test_clean_sales_by_country_product_and_customer(retail: RealData) -> None:
    retail.matches(
        "clean_revenue_by_country",
        """select country, count(distinct customer_id) as customers, count(distinct order_id) as invoices,
                  sum(net_amount) as revenue
        from clean group by all""",
    )
    retail.matches(
        "clean_top_products",
        """select product_id as stock_code, count(distinct order_id) as orders, sum(quantity)::bigint as quantity,
                  sum(net_amount) as revenue
        from clean group by all order by revenue desc limit 50""",
    )
    retail.matches(
        "clean_top_customers",
        """select customer_id, count(distinct order_id) as orders, sum(net_amount) as revenue
        from clean group by all order by revenue desc limit 50""",
    )


@only_whole_year
def test_totals_of_all_lines(retail: RealData) -> None:
    retail.matches(
        "totals",
        """select count(*) as n_rows, count(distinct invoice) as invoices, count(distinct product_id) as stock_codes,
                  count(distinct customer_id) as customers, count(distinct country) as countries,
                  min(sold_at) as first_ts, max(sold_at) as last_ts, sum(quantity)::bigint as quantity,
                  sum(amount) as net_amount, sum(amount) filter (not cancelled) as amount_excl_cancelled_invoices,
                  count(distinct sold_at::date) as n_days,
                  (select count(distinct description) from as_sent) as descriptions
        from lines""",
    )


@only_whole_year
def test_all_lines_by_country(retail: RealData) -> None:
    retail.matches(
        "revenue_by_country",
        """select country, count(*) as n_rows, count(distinct invoice) as invoices, sum(amount) as net_amount
        from lines group by all""",
    )


@only_whole_year
def test_returns(retail: RealData) -> None:
    retail.matches(
        "returns",
        """select count(*) as cancel_rows, count(distinct invoice) as cancel_invoices,
                  count(distinct customer_id) as customers, sum(quantity)::bigint as quantity, sum(amount) as amount
        from lines where cancelled""",
    )


def quintile(of: str) -> nw.Expr:
    """The quintile by a column; the published figures have equal customers in the order of their numbers."""
    place = nw.col("customer_id").cum_count().over("snapshot_on", order_by=[of, "customer_id"]).cast(nw.Int64) - 1
    return customer_rfm.ntile(place, nw.len().over("snapshot_on").cast(nw.Int64))


MEASURES_OF_CUSTOMERS = [customer_rfm, daily_repeat_rates, monthly_cohorts]


@only_whole_year
def test_customers_by_cohort_quintile_and_repeated_purchase(retail: RealData) -> None:
    """The published cleaning leaves out lines without a price, and returns; our own tables keep them."""
    con = retail.session.con

    def frame(query: str) -> nw.LazyFrame[Any]:
        return nw.from_native(con.sql(query))

    all_days = frame(
        "select unnest(generate_series(date '2010-12-01', date '2011-12-31', interval 1 day))::date as day"
    )
    first_line = "line_number = min(line_number) over (partition by order_id)"
    sales = frame(f"select * replace ({first_line} as is_first_line) from clean")
    no_returns = frame("from gold.fact_returns limit 0")
    metrics = agg_customer_metrics.transform(agg_customer_days.transform(sales, no_returns), all_days)
    metrics.to_native().create("clean_metrics")
    for module in MEASURES_OF_CUSTOMERS:
        made = module.transform(frame("from clean_metrics"), all_days)
        made.to_native().create(module.__name__.rpartition(".")[2])

    retail.matches(
        "cohort_retention",
        """select strftime(cohort, '%Y-%m') as cohort, month_offset, active_customers as customers
        from monthly_cohorts""",
    )
    frame("from customer_rfm").with_columns(
        rs=quintile("last_order_on"), fs=quintile("frequency"), ms=quintile("monetary")
    ).to_native().create("customer_quintiles")
    retail.matches(
        "rfm_quintiles",
        """select rs, fs, ms, count(*) as customers, sum(monetary) as monetary
        from customer_quintiles where snapshot_on = date '2011-12-31' group by all""",
    )
    retail.matches(
        "repeat_purchase",
        "select customers, repeat_customers from daily_repeat_rates where day = date '2011-12-09'",
    )
    [(rate, value)] = retail.query("""
        select round(100 * repeat_purchase_rate, 6),
               (select sum(net_sales_to_date) from monthly_cohorts where month_end = date '2011-12-31')
        from daily_repeat_rates where day = date '2011-12-09'""")
    assert (rate, value) == (65.583218, Decimal("8911407.9040"))
