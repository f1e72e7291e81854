import datetime as dt

from ecom_assets.gold.fact_shipments import FactShipments
from ecom_assets.kpi.daily_fulfilment import DailyFulfilment, transform
from ecom_assets_tests.samples import collected, days, rows, run, sample


def test_all_that_is_due_counts_whether_it_has_left_or_not():
    due = {"ordered_on": "2024-01-01", "promised_on": "2024-01-03"}
    shipments = sample(
        FactShipments,
        {
            **due,
            "is_on_time": True,
            "shipped_at": "2024-01-02 10:00",
            "delivered_at": "2024-01-03 10:00",
            "hours_to_ship": 10.0,
            "hours_to_deliver": 24.0,
        },
        {**due, "is_on_time": False, "shipped_at": "2024-01-05 10:00", "hours_to_ship": 40.0},
        {**due, "is_on_time": False},
        {**due, "is_on_time": None},
    )

    made = run(transform, shipments, days("2024-01-01", "2024-01-05"))

    assert rows(made, "day", "due", "shipped_on_time", "shipped_late", "unshipped", "delivered") == [
        (dt.date(2024, 1, 3), 3, 1, 1, 1, 1)
    ]
    assert rows(made, "on_time_shipping", "median_hours_to_ship", "median_hours_to_deliver") == [(1 / 3, 25.0, 24.0)]
    DailyFulfilment.validate(collected(made))


def test_a_promise_for_a_day_outside_the_window_or_out_of_reach_is_left_out():
    shipments = sample(
        FactShipments,
        {"ordered_on": "2024-01-01", "promised_on": "2024-01-02", "is_on_time": False},
        {"ordered_on": "2024-01-01", "promised_on": "2024-02-12", "is_on_time": False},
        {"ordered_on": "2024-01-01", "promised_on": "2024-02-13", "is_on_time": False},
    )

    made = run(transform, shipments, days("2024-02-01", "2024-02-29"))

    assert rows(made, "day") == [dt.date(2024, 2, 12)]
