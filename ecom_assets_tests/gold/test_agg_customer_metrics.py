import datetime as dt
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ecom_assets.days import Window, history
from ecom_assets.gold.agg_customer_metrics import AggCustomerMetrics, transform
from ecom_assets.gold.fact_returns import FactReturns
from ecom_assets.gold.fact_sales import FactSales
from ecom_assets_tests.samples import days, rows, run, run_window, sample

FIRST, SECOND, THIRD = (dt.date(2024, 1, day) for day in (1, 2, 3))


def sale(order_id, moment, **facts):
    return {
        "order_id": order_id,
        "ordered_at": moment,
        "ordered_on": str(moment)[:10],
        "customer_id": "C",
        "is_valid": True,
        "is_first_line": True,
        "gross_sales": "10",
        "net_amount": "10",
        **facts,
    }


def refund(day, amount):
    return {"customer_id": "C", "returned_on": day, "amount": amount}


def test_the_first_valid_order_by_moment_and_number_is_new():
    sales = sample(
        FactSales,
        sale("3", "2024-01-01 10:00", is_valid=False),
        sale("2", "2024-01-01 11:00", net_amount="7"),
        sale("1", "2024-01-01 11:00", net_amount="4"),
        sale("1", "2024-01-01 11:00", net_amount="1", is_first_line=False, line_number=2),
        sale("0", "2024-01-02 11:00", net_amount="9"),
    )

    made = run(transform, sales, sample(FactReturns), days(FIRST, SECOND))

    columns = ["day", "orders", "new_orders", "new_sales", "first_order_on", "previous_order_on", "orders_to_date"]
    assert rows(made, *columns) == [
        (FIRST, 2, 1, Decimal(5), FIRST, None, 2),
        (SECOND, 1, 0, Decimal(0), FIRST, FIRST, 3),
    ]


def test_a_day_of_refunds_alone_is_a_row_too():
    sales = sample(FactSales, sale("1", "2024-01-02 10:00"))
    returns = sample(FactReturns, refund(FIRST, "2"), refund(THIRD, "4"))

    made = run(transform, sales, returns, days(FIRST, THIRD))

    columns = ["day", "net_sales", "net_sales_to_date", "first_order_on", "previous_order_on"]
    assert rows(made, *columns) == [
        (FIRST, Decimal(-2), Decimal(-2), None, None),
        (SECOND, Decimal(10), Decimal(8), SECOND, None),
        (THIRD, Decimal(-4), Decimal(4), SECOND, SECOND),
    ]


def test_guests_are_nobody():
    sales = sample(FactSales, sale("1", "2024-01-01 10:00", customer_id=None))

    assert rows(run(transform, sales, sample(FactReturns), days(FIRST)), "customer_id") == []


orders = st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 96), st.booleans()), max_size=15)
refunds = st.lists(st.tuples(st.sampled_from("AB"), st.integers(1, 5)), max_size=4)


@settings(max_examples=8)
@given(orders, refunds)
def test_days_run_alone_or_together_make_the_same_rows(orders, refunds):
    midnight = dt.datetime.fromisoformat("2024-01-01")
    sales = sample(
        FactSales,
        *(
            sale(str(number), midnight + dt.timedelta(hours=hours), customer_id=customer, is_valid=is_valid)
            for number, (customer, hours, is_valid) in enumerate(orders)
        ),
    )
    returns = sample(
        FactReturns, *({**refund(dt.date(2024, 1, day), "3"), "customer_id": customer} for customer, day in refunds)
    )
    all_days = Window(FIRST, dt.date(2024, 1, 5))

    def stored(window):
        inputs = {
            "gold_fact_sales": (sales, "ordered_on"),
            "gold_fact_returns": (returns, "returned_on"),
            "days": (days(window.first, window.last), "day"),
        }
        reads = {"gold_fact_sales": history, "gold_fact_returns": history}
        return run_window(transform, window, inputs, reads, "day").sort("day", "customer_id")

    together = stored(all_days)
    AggCustomerMetrics.validate(together)
    for day in all_days:
        assert_frame_equal(stored(Window(day, day)), together.filter(together["day"] == day))
