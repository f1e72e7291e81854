import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.days import Window, history
from ecom_assets.gold.agg_customer_metrics import AggCustomerMetrics
from ecom_assets.kpi.daily_repeat_rates import DailyRepeatRates, transform
from ecom_assets_tests.samples import collected, days, rows, run, run_window, sample

START = dt.date(2024, 1, 1)


def on(number: int) -> dt.date:
    return START + dt.timedelta(days=number)


def metrics(*bought: tuple[str, int, int]):
    """Customer, day from the start and orders on it, in the order of the days."""
    rows, to_date, last = [], {}, {}
    for customer, day, orders in bought:
        to_date[customer] = to_date.get(customer, 0) + orders
        rows.append(
            {
                "customer_id": customer,
                "day": on(day),
                "orders": orders,
                "orders_to_date": to_date[customer],
                "previous_order_on": last.get(customer),
            }
        )
        last[customer] = on(day)
    return sample(AggCustomerMetrics, *rows)


def test_a_customer_repeats_with_the_second_order_and_while_it_is_recent():
    made = run(transform, metrics(("A", 0, 1), ("B", 0, 1), ("A", 10, 1)), days(START, on(100)))

    by_day = {day: rest for day, *rest in rows(made, "day", "customers", "repeat_customers", "repeat_purchase_rate")}
    assert (by_day[on(9)], by_day[on(10)], by_day[on(100)]) == ([2, 0, 0.0], [2, 1, 0.5], [2, 1, 0.5])
    recent = {day: rest for day, *rest in rows(made, "day", "customers_90d", "repeat_customers_90d")}
    assert (recent[on(89)], recent[on(90)], recent[on(99)], recent[on(100)]) == ([2, 1], [1, 0], [1, 0], [0, 0])
    DailyRepeatRates.validate(collected(made))


def test_two_orders_of_a_day_make_a_repeat_customer():
    made = run(transform, metrics(("A", 0, 2)), days(START))

    assert rows(made, "repeat_purchase_rate", "repeat_purchase_rate_90d", "repeat_purchase_rate_365d") == [(1, 1, 1)]


def test_there_is_no_rate_without_customers():
    made = run(transform, metrics(("A", 0, 1)), days(on(-1), on(400)))

    assert rows(made, "day")[0] == START
    assert rows(made, "customers_365d", "repeat_purchase_rate_365d")[0] == (0, None)


@settings(max_examples=15)
@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 800), st.integers(1, 2)), max_size=12))
def test_the_counts_are_those_of_the_definition(bought):
    bought = sorted({(customer, day): (customer, day, orders) for customer, day, orders in bought}.values(), key=str)
    bought.sort(key=lambda one: one[1])
    window = Window(on(370), on(760))
    inputs = {"gold_agg_customer_metrics": (metrics(*bought), "day"), "days": (days(window.first, window.last), "day")}

    made = run_window(transform, window, inputs, {"gold_agg_customer_metrics": history}, "day")

    for row in made.iter_rows(named=True):
        for name, length in [("", 10_000), ("_90d", 90), ("_365d", 365)]:
            orders: dict[str, int] = {}
            for customer, day, count in bought:
                if on(day) <= row["day"] < on(day + length):
                    orders[customer] = orders.get(customer, 0) + count
            assert row[f"customers{name}"] == len(orders)
            assert row[f"repeat_customers{name}"] == sum(count > 1 for count in orders.values())
