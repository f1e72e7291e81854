import datetime as dt
from decimal import Decimal

from ecom_assets.features.customer_features import CustomerFeatures, transform
from ecom_assets.features.customer_product_interactions import CustomerProductInteractions
from ecom_assets.gold.agg_customer_days import AggCustomerDays
from ecom_assets.gold.fact_voided_orders import FactVoidedOrders
from ecom_assets_tests.samples import collected, days, rows, run, sample

DAY = dt.date(2024, 4, 1)


def before(number: int) -> dt.date:
    return DAY - dt.timedelta(days=number)


def ordered(day: dt.date, gross_sales: str, **facts):
    return {"customer_id": "C", "day": day, "orders": 1, "gross_sales": gross_sales, **facts}


CUSTOMER_DAYS = [
    ordered(before(50), "10", discounts="2"),
    ordered(before(10), "20", orders=2),
    {"customer_id": "C", "day": before(5), "returns": "7"},
    {**ordered(before(1), "5"), "customer_id": "inactive"},
]


def seen(day: dt.date, **counts):
    return {"customer_id": "C", "product_id": str(day), "day": day, **counts}


INTERACTIONS = [seen(DAY, views=2), seen(before(29), cart_additions=1), seen(before(30), views=9)]


def test_features_hold_what_happened_up_to_the_end_of_the_day():
    made = run(
        transform,
        sample(AggCustomerDays, *CUSTOMER_DAYS),
        sample(FactVoidedOrders),
        sample(CustomerProductInteractions, *INTERACTIONS),
        days(DAY),
    )

    bought = ["customer_id", "recency_days", "tenure_days", "frequency", "monetary", "returns_to_date"]
    assert rows(made, *bought) == [("C", 10, 50, 3, Decimal(28), Decimal(7))]
    assert rows(made, "average_order_value", "mean_days_between_orders", "refunded_share") == [(28 / 3, 40.0, 0.25)]
    done = ["views_30d", "cart_additions_30d", "units_purchased_30d", "products_30d", "active_days_30d"]
    assert rows(made, *done) == [(2, 1, 0, 2, 2)]
    CustomerFeatures.validate(collected(made))


def test_a_customer_may_have_discounts_above_the_price_of_the_goods():
    made = run(
        transform,
        sample(AggCustomerDays, ordered(DAY, "8", discounts="10", returns="1")),
        sample(FactVoidedOrders),
        sample(CustomerProductInteractions),
        days(DAY),
    )

    assert rows(made, "monetary", "average_order_value", "refunded_share") == [(Decimal(-2), -2.0, -0.5)]
    CustomerFeatures.validate(collected(made))


def test_a_visitor_without_orders_has_none():
    made = run(
        transform,
        sample(AggCustomerDays),
        sample(FactVoidedOrders),
        sample(CustomerProductInteractions, seen(DAY, views=1)),
        days(DAY),
    )

    assert rows(made, "frequency", "monetary", "recency_days", "average_order_value") == [(0, Decimal(0), None, None)]
    CustomerFeatures.validate(collected(made))


def test_an_order_that_is_voided_later_counts_until_then():
    order = {"customer_id": "C", "ordered_on": before(2), "voided_on": DAY, "revenue": "18"}
    voided = sample(FactVoidedOrders, order, {**order, "order_id": "of a guest", "customer_id": None})

    made = run(
        transform,
        sample(AggCustomerDays, ordered(before(4), "10"), ordered(before(1), "1")),
        voided,
        sample(CustomerProductInteractions),
        days(before(2), DAY),
    )

    assert rows(made, "day", "customer_id", "frequency", "monetary", "recency_days") == [
        (before(2), "C", 2, Decimal(28), 0),
        (before(1), "C", 3, Decimal(29), 0),
        (DAY, "C", 2, Decimal(11), 1),
    ]


def test_orders_of_a_day_are_one_day_with_orders_though_one_of_them_is_voided_later():
    voided = {"customer_id": "C", "ordered_on": before(2), "voided_on": DAY}

    made = run(
        transform,
        sample(AggCustomerDays, ordered(before(2), "10")),
        sample(FactVoidedOrders, voided),
        sample(CustomerProductInteractions),
        days(before(2)),
    )

    assert rows(made, "customer_id", "frequency", "mean_days_between_orders") == [("C", 2, None)]
    CustomerFeatures.validate(collected(made))
