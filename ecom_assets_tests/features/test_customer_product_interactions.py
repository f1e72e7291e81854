import datetime as dt

from ecom_assets.features.customer_product_interactions import CustomerProductInteractions, transform
from ecom_assets.gold.dim_product_versions import DimProductVersions
from ecom_assets.gold.fact_sales import FactSales
from ecom_assets.silver.events import Events
from ecom_assets_tests.samples import collected, rows, run, sample

FIRST, SECOND = dt.date(2024, 1, 1), dt.date(2024, 1, 2)


def event(number: int, name: str, **facts):
    return {"event_id": str(number), "event": name, "customer_id": "C", "product_id": "P", **facts}


def test_views_additions_and_purchases_are_counted_by_product():
    events = sample(
        Events,
        event(1, "Product Viewed"),
        event(2, "Product Viewed"),
        event(3, "Product Added"),
        event(4, "Product Viewed", customer_id=None),
        event(5, "Page Viewed", product_id=None),
        event(7, "Product Viewed", is_robot=True),
        event(6, "Product Viewed", product_id="Q", occurred_on="2024-01-02"),
    )
    bought = {"customer_id": "C", "product_id": "P", "quantity": 3, "is_valid": True}
    void = {**bought, "is_valid": False, "ordered_on": FIRST, "quantity": 10}
    sales = sample(
        FactSales,
        bought,
        {**void, "voided_on": FIRST},
        {**void, "voided_on": SECOND, "order_id": "valid at the end of the day"},
        {**bought, "customer_id": None},
    )

    made = run(transform, events, sales, sample(DimProductVersions))

    assert rows(made, "day", "product_id", "views", "cart_additions", "units_purchased") == [
        (FIRST, "P", 2, 1, 13),
        (SECOND, "Q", 1, 0, 0),
    ]
    CustomerProductInteractions.validate(collected(made))


def test_a_product_is_in_the_category_that_it_had_at_the_end_of_the_day():
    events = sample(Events, event(1, "Product Viewed"), event(2, "Product Viewed", occurred_on="2024-01-02"))
    version = {"product_id": "P", "category": "toys", "effective_on": "2024-01-01"}
    products = sample(
        DimProductVersions,
        {**version, "effective_from": "2024-01-01 09:00", "category": "games"},
        {**version, "effective_from": "2024-01-01 10:00"},
        {**version, "effective_from": "2024-01-02 10:00", "effective_on": "2024-01-02", "category": None},
    )

    made = run(transform, events, sample(FactSales), products)

    assert rows(made, "day", "category") == [(FIRST, "toys"), (SECOND, "unknown")]
