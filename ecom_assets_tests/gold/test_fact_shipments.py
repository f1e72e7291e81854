from ecom_assets.gold.fact_shipments import transform
from ecom_assets.silver.shipments import Shipments
from ecom_assets_tests.samples import rows, run, sample


def test_hours_run_from_milestone_to_milestone():
    parcel = {
        "status": "delivered",
        "ordered_at": "2024-01-01 10:00",
        "shipped_at": "2024-01-02 16:30",
        "delivered_at": "2024-01-03 12:30",
    }

    made = run(transform, sample(Shipments, parcel, {"shipment_id": "open", "ordered_at": "2024-01-01 10:00"}))

    assert rows(made, "hours_to_ship", "hours_to_deliver") == [(None, None), (30.5, 20.0)]


def test_hours_to_a_bare_day_are_never_negative():
    parcel = {"status": "delivered", "ordered_at": "2024-01-01 10:00", "shipped_at": "2024-01-01"}

    made = run(transform, sample(Shipments, {**parcel, "delivered_at": "2024-01-02"}))

    assert rows(made, "hours_to_ship", "hours_to_deliver") == [(0.0, 24.0)]


def test_on_time_is_what_left_by_the_promised_day_of_all_that_is_due():
    promise = {"promised_on": "2024-01-02"}
    parcels = [
        {**promise, "shipment_id": "in time", "status": "shipped", "shipped_on": "2024-01-02"},
        {**promise, "shipment_id": "late", "status": "shipped", "shipped_on": "2024-01-03"},
        {**promise, "shipment_id": "open"},
        {**promise, "shipment_id": "cancelled", "status": "cancelled"},
        {"shipment_id": "no promise", "status": "shipped", "shipped_on": "2024-01-03"},
    ]

    made = run(transform, sample(Shipments, *parcels))

    assert rows(made, "shipment_id", "is_on_time") == [
        ("cancelled", None),
        ("in time", True),
        ("late", False),
        ("no promise", None),
        ("open", False),
    ]
