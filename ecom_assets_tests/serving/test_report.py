import datetime as dt
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from ecom_assets import catalog
from ecom_assets.days import Window
from ecom_assets.engine.duckdb.tables import columns_of, ensure_table
from ecom_assets.errors import UserError
from ecom_assets.serving import report as reports
from ecom_assets.serving.report import Figure, Report, Trust, Unit, report
from ecom_assets.serving.report_text import render

TABLES = [
    "kpi.daily_acquisition",
    "kpi.daily_carts",
    "kpi.daily_customers",
    "kpi.daily_fulfilment",
    "kpi.daily_funnel",
    "kpi.daily_margin",
    "kpi.daily_payments",
    "kpi.daily_refund_rates",
    "kpi.daily_repeat_rates",
    "kpi.daily_sales",
]
ROWS = """
insert into kpi.daily_acquisition by name from (values
    ('2024-01-03'::date, 100, 8, 1), ('2024-01-04', 20, 12, 3)) t (day, revenue, spend, new_customers);
insert into kpi.daily_sales by name from (values
    ('2024-01-01'::date, 2, 30, 5, 20), ('2024-01-02', 1, 11, 1, 10), ('2024-01-03', 1, 40, 0, 30.5),
    ('2024-01-04', 2, 30, 0, 29.5)) t (day, orders, gross_sales, discounts, net_sales);
insert into kpi.daily_customers by name from (values
    ('2024-01-01'::date, 5, 0), ('2024-01-03', 1, 3), ('2024-01-04', 2, 4)) t (day, new_sales, returning_sales);
insert into kpi.daily_funnel by name from (values
    ('2024-01-01'::date, 10, 1), ('2024-01-03', 10, 1), ('2024-01-04', 30, 1)) t (day, sessions, open_purchase);
insert into kpi.daily_payments by name from (values
    ('2024-01-03'::date, 4, 1), ('2024-01-04', 4, 0)) t (day, attempts, failed_count);
insert into kpi.daily_repeat_rates by name from (values
    ('2024-01-01'::date, 1, 0), ('2024-01-02', 2, 0), ('2024-01-03', 2, 1), ('2024-01-05', 2, 2))
    t (day, customers, repeat_customers);
insert into kpi.daily_refund_rates by name from (values
    ('2024-01-01'::date, 10, 10), ('2024-01-03', 30, 8), ('2024-01-04', 10, 0)) t (day, sold, refunded);
insert into kpi.daily_margin by name from (values
    ('2024-01-03'::date, 20.5), ('2024-01-04', -0.5)) t (day, contribution_margin);
insert into kpi.daily_carts by name from (values
    ('2024-01-03'::date, 5, 1), ('2024-01-04', 3, 3)) t (day, carts, abandoned_carts);
insert into kpi.daily_fulfilment by name from (values
    ('2024-01-03'::date, 3, 3), ('2024-01-04', 1, 0)) t (day, due, shipped_on_time);
"""


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """A snapshot of the first four days of 2024, all good."""
    path = tmp_path / "snapshot.duckdb"
    with duckdb.connect(path) as con:
        for table in (*TABLES, "gold.fact_returns"):
            ensure_table(con, table, columns_of(catalog.tables()[table]))
        con.execute(ROWS)
        con.execute("create schema ledger; create table ledger.stale (table_name varchar, day date, why varchar)")
        con.execute(
            "create table ledger.lacking (table_name varchar, first_day date, last_day date, failed_table varchar, "
            "first_failed_day date, last_failed_day date)"
        )
        con.execute("create table ledger.published as select 'Pacific/Kiritimati' as time_zone")
        con.execute(f"""
            create table ledger.days as
            select unnest({TABLES}) as table_name, day::date as day, 'stored' as state, false as shows_old_rows,
                   null::varchar as made_without, '' as note
            from generate_series(date '2024-01-01', date '2024-01-04', interval 1 day) t (day)""")
    return path


def change(snapshot: Path, statement: str) -> None:
    with duckdb.connect(snapshot) as con:
        con.execute(statement)


def figure(page: Report, name: str) -> Figure:
    return next(figure for figure in page.figures if figure.name == name)


def test_what_the_export_does_not_tell_is_not_shown_as_nothing(snapshot):
    change(snapshot, "update kpi.daily_refund_rates set refunded = 0")
    change(
        snapshot,
        "insert into gold.fact_returns by name from (values ('1', '2024-01-04'::date)) t (return_id, returned_on)",
    )
    change(snapshot, "update kpi.daily_margin set cost_of_goods = 0, units_of_unknown_cost = 7")

    page = report(snapshot, days=2)

    assert figure(page, "Refund rate of the orders").value is None
    assert figure(page, "Contribution margin").value is None


def test_orders_of_which_nothing_was_refunded_have_a_rate_of_zero_though_older_ones_have_refunds(snapshot):
    change(snapshot, "update kpi.daily_refund_rates set refunded = 0")
    change(
        snapshot,
        "insert into gold.fact_returns by name from (values ('1', 'old', '2024-01-04'::date)) "
        "t (return_id, order_id, returned_on)",
    )

    assert figure(report(snapshot, days=2), "Refund rate of the orders").value == 0


def test_a_margin_without_some_costs_says_so(snapshot):
    change(snapshot, "update kpi.daily_margin set cost_of_goods = 9, units_of_unknown_cost = 600")

    margin = figure(report(snapshot, days=2), "Contribution margin")

    assert (margin.value, margin.note) == (Decimal(20), "1,200 units of unknown cost")


def test_good_days_without_sales_are_days_of_zero_and_days_without_rows_unknown(snapshot):
    change(snapshot, "delete from kpi.daily_sales where day > '2024-01-02'; delete from kpi.daily_customers")
    change(snapshot, "update ledger.days set state = 'failed' where table_name = 'kpi.daily_customers'")

    page = report(snapshot, days=2)

    net_sales, new_revenue = figure(page, "Net sales"), figure(page, "New revenue")
    assert (net_sales.value, net_sales.before, net_sales.change(net_sales.before)) == (0, 30, -1)
    assert (new_revenue.value, new_revenue.before) == (None, None)


def test_sums_are_compared_with_the_days_before(snapshot):
    page = report(snapshot, days=2)

    assert page.period == Window(dt.date(2024, 1, 3), dt.date(2024, 1, 4))
    assert figure(page, "Net sales") == Figure("Net sales", Unit.MONEY, Decimal(60), Decimal(30), None)
    assert figure(page, "Net sales").change(Decimal(30)) == 1
    assert (figure(page, "New revenue").value, figure(page, "Returning revenue").value) == (3, 7)


def test_ratios_are_those_of_the_sums_not_means_of_days(snapshot):
    page = report(snapshot, days=2)

    assert figure(page, "Conversion rate").value == Decimal("0.05")
    assert figure(page, "Payment failure rate").value == Decimal("0.125")
    assert figure(page, "On-time shipping").value == Decimal("0.75")
    assert figure(page, "Customer acquisition cost").value == 5
    assert figure(page, "Marketing efficiency ratio").value == 6
    assert figure(page, "Average order value").value == Decimal(70) / 3
    assert figure(page, "Average order value").before == Decimal(35) / 3


def test_without_any_spend_customers_do_not_cost_nothing_but_something_unknown(snapshot):
    change(snapshot, "update kpi.daily_acquisition set spend = 0")

    page = report(snapshot, days=2)

    assert figure(page, "Customer acquisition cost").value is None
    assert figure(page, "Marketing efficiency ratio").value is None


def test_refunds_count_against_the_orders_they_belong_to(snapshot):
    page = report(snapshot, days=2)

    assert (figure(page, "Refund rate of the orders").value, figure(page, "Refund rate of the orders").before) == (
        Decimal("0.2"),
        1,
    )


def test_days_that_are_provisional_are_left_out_of_the_comparison(snapshot, monkeypatch):
    monkeypatch.setattr(reports, "MIN_DAYS", 1)
    change(
        snapshot,
        """
        update ledger.days set state = 'provisional'
        where (table_name = 'kpi.daily_refund_rates' and day = '2024-01-04')
            or (table_name = 'kpi.daily_margin')""",
    )

    page = report(snapshot, days=2)

    refunds, margin = figure(page, "Refund rate of the orders"), figure(page, "Contribution margin")
    assert (refunds.value, refunds.before, refunds.note) == (Decimal(8) / 30, None, "1 day to 2024-01-03")
    assert (margin.value, margin.before, margin.note) == (20, None, "not final")
    assert "Contribution margin, not final " in render(page)
    assert figure(page, "Net sales").note == ""


def test_final_days_are_compared_with_final_days_of_the_same_number(snapshot):
    change(
        snapshot,
        """
        update ledger.days set state = 'provisional'
        where table_name = 'kpi.daily_refund_rates' and day >= '2024-01-03'""",
    )

    page = report(snapshot, days=1)

    refunds = figure(page, "Refund rate of the orders")
    assert (refunds.value, refunds.before, refunds.note) == (None, 1, "to 2024-01-02")


def test_a_customer_repeats_from_the_second_order_on(snapshot):
    page = report(snapshot, days=2)

    assert figure(page, "Repeat purchase rate to date").value == Decimal("0.5")
    assert figure(page, "Repeat purchase rate to date").before == 0


def test_costs_and_abandoned_carts_are_those_of_the_days(snapshot):
    page = report(snapshot, days=2)

    assert figure(page, "Contribution margin").value == 20
    assert figure(page, "Cart abandonment").value == Decimal("0.5")


def test_with_few_days_half_of_them_are_compared_with_the_other_half(snapshot):
    assert report(snapshot) == report(snapshot, days=2)


def test_a_period_that_begins_before_the_table_is_not_compared(snapshot):
    change(snapshot, "delete from ledger.days where table_name = 'kpi.daily_customers' and day = '2024-01-01'")

    page = report(snapshot, days=2)

    assert (figure(page, "New revenue").before, figure(page, "Net sales").before) == (None, 30)


def test_a_day_that_shows_its_old_rows_counts(snapshot):
    change(snapshot, "update ledger.days set state = 'failed', shows_old_rows = true where day = '2024-01-01'")

    page = report(snapshot, days=2)

    assert figure(page, "Net sales").before == 30
    assert page.missing == []


def test_the_same_weekdays_a_year_before_are_compared(snapshot):
    change(
        snapshot,
        """
        insert into kpi.daily_sales (day, orders, net_sales) values ('2024-12-31', 1, 50), ('2024-12-30', 1, 5);
        insert into ledger.days values ('kpi.daily_sales', '2024-12-31', 'stored', false, null, '')""",
    )

    page = report(snapshot, days=1)

    assert figure(page, "Net sales").value == 50
    assert figure(page, "Net sales").year_before == 10
    assert "a year before" in render(page)


def test_days_without_rows_are_named_in_both_periods(snapshot):
    change(snapshot, "delete from ledger.days where table_name = 'kpi.daily_funnel' and day in ('2024-01-02')")
    change(
        snapshot, "update ledger.days set state = 'failed' where table_name = 'kpi.daily_sales' and day = '2024-01-03'"
    )

    page = report(snapshot, days=2)

    assert page.missing == [dt.date(2024, 1, 2), dt.date(2024, 1, 3)]
    assert "Some tables lack rows on: 2024-01-02..2024-01-03." in render(page)


def test_a_figure_names_the_days_that_it_lacks(snapshot):
    change(
        snapshot,
        """
        update kpi.daily_sales set net_sales = null where day = '2024-01-02';
        update ledger.days set state = 'provisional', made_without = 'gold.fact_returns'
        where table_name = 'kpi.daily_sales' and day = '2024-01-02';
        delete from ledger.days where table_name = 'kpi.daily_carts' and day = '2024-01-04'""",
    )

    page = report(snapshot, days=4, last=dt.date(2024, 1, 4))

    assert page.period == Window.parse("2024-01-03..2024-01-04")
    page = report(snapshot, days=1, last=dt.date(2024, 1, 2))
    assert figure(page, "Net sales") == Figure(
        "Net sales", Unit.MONEY, None, None, None, "not final, without 2024-01-02"
    )
    assert figure(page, "Orders").value == 1
    assert figure(report(snapshot, days=2), "Cart abandonment").note == "without 2024-01-04"


def test_a_table_that_failed_is_named_with_the_figures_that_lack_its_days(snapshot):
    change(
        snapshot,
        """
        insert into ledger.lacking values
            ('kpi.daily_sales', '2024-01-03', '2024-01-03', 'silver.returns', '2024-01-03', '2024-01-03'),
            ('kpi.daily_repeat_rates', '2024-01-03', '2024-01-04', 'silver.returns', '2024-01-03', '2024-01-03'),
            ('kpi.daily_carts', '2023-01-03', '2023-01-04', 'silver.events', '2023-01-03', '2023-01-03'),
            ('gold.fact_sales', '2024-01-04', '2024-01-04', 'silver.orders', '2024-01-04', '2024-01-04')""",
    )

    page = report(snapshot, days=2)

    lacking = "silver.returns failed on 2024-01-03, which kpi.daily_repeat_rates, kpi.daily_sales lack."
    assert [line for line in render(page).splitlines() if " lack." in line] == [lacking]


def test_days_for_which_nothing_landed_are_named_apart_from_those_that_lack_rows(snapshot):
    change(
        snapshot,
        """
        delete from ledger.days where day = '2024-01-02';
        insert into ledger.days select 'bronze.orders', day, 'stored', false, null, ''
        from ledger.days where table_name = 'kpi.daily_sales'""",
    )

    page = report(snapshot, days=2)

    assert (page.missing, page.quiet) == ([], [Window.parse("2024-01-02")])
    assert "Nothing has landed for 2024-01-02, and these days have not run." in render(page)


def test_a_day_made_without_the_rows_of_an_input_is_named(snapshot):
    change(
        snapshot,
        "update ledger.days set made_without = 'gold.fact_shipments' "
        "where table_name = 'kpi.daily_margin' and day = '2024-01-03'",
    )

    assert "Some tables lack rows on: 2024-01-03." in render(report(snapshot, days=2))


def test_days_of_the_period_that_do_not_reconcile_are_named(snapshot):
    assert "reconcile" not in render(report(snapshot, days=2))
    change(
        snapshot,
        """
        insert into ledger.days (table_name, day, state, shows_old_rows, made_without) values
            ('kpi.daily_reconciliation', '2024-01-02', 'failed', false, null),
            ('kpi.daily_reconciliation', '2024-01-03', 'failed', false, null),
            ('kpi.settled_reconciliation', '2024-01-03', 'blocked', false, null),
            ('kpi.daily_stock_reconciliation', '2024-01-04', 'failed', false, null)""",
    )

    page = report(snapshot, days=2)

    assert page.unreconciled == [dt.date(2024, 1, 3), dt.date(2024, 1, 4)]
    assert "Do not reconcile on: 2024-01-03..2024-01-04. For the reasons: ecom bad." in render(page)
    assert report(snapshot, days=1, last=dt.date(2024, 1, 1)).unreconciled == []


def test_a_file_that_is_cut_off_is_named(snapshot):
    assert report(snapshot).damaged == []
    change(
        snapshot,
        "insert into ledger.days values "
        "('bronze.orders', '2024-01-02', 'provisional', false, null, 'a.csv.gz is cut off or damaged: land it whole'), "
        "('bronze.orders', '2024-01-03', 'stored', false, null, 'b.csv replaced the rows read from it before')",
    )

    lines = render(report(snapshot, days=1)).splitlines()

    assert "Not complete: bronze.orders 2024-01-02: a.csv.gz is cut off or damaged: land it whole." in lines
    assert not any("b.csv" in line for line in lines)


def test_the_tables_that_reconcile_are_all_looked_at():
    named = [table.name for table in catalog.tables() if table.name.endswith("_reconciliation")]

    assert sorted(named) == sorted(reports.RECONCILIATIONS)


def test_it_says_how_far_to_trust_the_tables(snapshot):
    change(
        snapshot,
        """
        create schema quarantine;
        create table quarantine.orders (reasons varchar[]);
        insert into quarantine.orders values (['late']), (['late', 'odd']);
        update ledger.days set state = 'failed', shows_old_rows = true where day = '2024-01-01';
        insert into ledger.stale values ('kpi.daily_sales', '2024-01-04', 'its code changed'),
            ('kpi.daily_sales', '9999-01-01', 'its files have not been read');
        create schema superseded;
        create table superseded.orders (read_on date, kind varchar);
        insert into superseded.orders values ('2024-01-01', 'conflict'), ('2024-01-01', 'superseded')""",
    )

    page = report(snapshot)

    trust = Trust({"stored": 30, "failed": 10}, 10, 1, 2, [("late", 2), ("odd", 1)], (("orders", 1),))
    assert page.trust == trust
    assert "Conflicts of one key in orders: 1. See ecom bad." in render(page)


def test_before_any_day_of_sales_it_says_what_to_do(snapshot):
    change(snapshot, "delete from ledger.days")

    with pytest.raises(UserError, match="ecom run"):
        report(snapshot)


def test_if_no_day_of_sales_is_good_it_says_why(snapshot):
    change(
        snapshot,
        """
        delete from ledger.days;
        insert into ledger.days values
            ('silver.orders', '2024-01-01', 'failed', false, null,
             '9 of 9 rows are quarantined, more than the allowed 5%'),
            ('silver.orders', '2024-01-02', 'failed', false, null,
             '8 of 8 rows are quarantined, more than the allowed 5%'),
            ('kpi.daily_sales', '2024-01-01', 'blocked', false, null, 'silver.orders is failed on 2024-01-01');
        create schema quarantine; create schema superseded;
        create table quarantine.orders as
        select day::date as read_on, '2024-01-01'::date as arrived_on, 'orders.csv' as source_file, n as record,
               ['line 7: ordered_at is not a moment'] as reasons, ['ordered_at_type'] as reason_codes
        from (values ('2024-01-01', 9), ('2024-01-02', 2)) t (day, n)""",
    )

    with pytest.raises(UserError) as found:
        report(snapshot)

    assert str(found.value) == (
        "There is nothing to report yet: kpi.daily_sales has no good day. silver.orders failed on "
        "2024-01-01..2024-01-02: rows are quarantined, more than the allowed 5%: ordered_at is not a moment (2 rows, "
        "the first is record 2 of "
        "2024-01-01/orders.csv). See ecom bad."
    )


def test_amounts_are_rounded_half_up_to_the_cent_at_the_end():
    lines = [
        Figure("Net sales", Unit.MONEY, Decimal("1234.565"), Decimal(1000), None),
        Figure("Orders", Unit.COUNT, Decimal(12345), None, None),
        Figure("Conversion rate", Unit.SHARE, Decimal("0.03125"), Decimal("0.03"), None),
        Figure("Refund rate", Unit.SHARE, None, Decimal(0), None),
        Figure("Efficiency", Unit.RATIO, Decimal("4.255"), Decimal(4), None),
    ]
    day = dt.date(2024, 1, 1)
    page = Report(Window(day, day), [], [], lines, Trust({"stored": 1200, "provisional": 1}, 0, 0, 1, [("odd", 1)]))

    assert render(page).splitlines() == [
        "The shop, 2024-01-01",
        "",
        "                     1 day   1 day before        change",
        "Net sales         1,234.57       1,000.00       +23.5 %",
        "Orders              12,345              -             -",
        "Conversion rate     3.13 %         3.00 %   +0.1 points",
        "Refund rate              -         0.00 %             -",
        "Efficiency            4.26           4.00        +6.4 %",
        "",
        "Table-days: 1,200 good, 1 provisional, 0 failed, 0 blocked; 0 stale.",
        "Quarantined rows: 1, by reason:",
        "  1: odd",
    ]
