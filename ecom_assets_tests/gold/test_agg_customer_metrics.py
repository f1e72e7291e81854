import datetime as dt
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ecom_assets.days import Window, history
from ecom_assets.gold.agg_customer_days import AggCustomerDays
from ecom_assets.gold.agg_customer_metrics import AggCustomerMetrics, transform
from ecom_assets_tests.samples import days, rows, run, run_window, sample

FIRST, SECOND, THIRD = (dt.date(2024, 1, day) for day in (1, 2, 3))


def bought(day, **facts):
    return {"customer_id": "C", "day": day, "orders": 1, "gross_sales": "10", "first_sales": "10", **facts}


def brought_back(day, amount, **facts):
    return {"customer_id": "C", "day": day, "returns": amount, **facts}


def test_the_first_order_of_the_first_day_is_new():
    customer_days = sample(AggCustomerDays, bought(FIRST, orders=2, first_sales="5"), bought(SECOND))

    made = run(transform, customer_days, days(FIRST, SECOND))

    columns = ["day", "orders", "new_orders", "new_sales", "first_order_on", "previous_order_on", "orders_to_date"]
    assert rows(made, *columns) == [
        (FIRST, 2, 1, Decimal(5), FIRST, None, 2),
        (SECOND, 1, 0, Decimal(0), FIRST, FIRST, 3),
    ]


def test_a_day_of_refunds_alone_is_no_order():
    customer_days = sample(AggCustomerDays, brought_back(FIRST, "2"), bought(SECOND), brought_back(THIRD, "4"))

    made = run(transform, customer_days, days(FIRST, THIRD))

    columns = ["day", "net_sales", "net_sales_to_date", "first_order_on", "previous_order_on"]
    assert rows(made, *columns) == [
        (FIRST, Decimal(-2), Decimal(-2), None, None),
        (SECOND, Decimal(10), Decimal(8), SECOND, None),
        (THIRD, Decimal(-4), Decimal(4), SECOND, SECOND),
    ]


active_days = st.dictionaries(
    st.tuples(st.sampled_from("AB"), st.integers(1, 5)), st.tuples(st.integers(0, 2), st.booleans()), max_size=8
)


@settings(max_examples=8)
@given(active_days)
def test_days_run_alone_or_together_make_the_same_rows(found):
    customer_days = sample(
        AggCustomerDays,
        *(
            bought(day, customer_id=customer, orders=orders, returns="3" if returns else "0")
            if orders
            else brought_back(day, "3", customer_id=customer)
            for (customer, number), (orders, returns) in found.items()
            for day in [dt.date(2024, 1, number)]
        ),
    )
    all_days = Window(FIRST, dt.date(2024, 1, 5))

    def stored(window):
        inputs = {
            "gold_agg_customer_days": (customer_days, "day"),
            "days": (days(window.first, window.last), "day"),
        }
        reads = {"gold_agg_customer_days": history}
        return run_window(transform, window, inputs, reads, "day").sort("day", "customer_id")

    together = stored(all_days)
    AggCustomerMetrics.validate(together)
    for day in all_days:
        assert_frame_equal(stored(Window(day, day)), together.filter(together["day"] == day))
