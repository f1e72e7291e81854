import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.gold.dim_customer_versions import DimCustomerVersions
from ecom_assets.gold.dim_product_versions import DimProductVersions
from ecom_assets.gold.fact_included_taxes import transform as included_taxes
from ecom_assets.gold.fact_sales import FactSales, transform
from ecom_assets.gold.fact_unpaid_cancellations import FactUnpaidCancellations
from ecom_assets.silver.order_items import OrderItems
from ecom_assets.silver.orders import Orders
from ecom_assets_tests.samples import collected, rows, run, sample


def sold(items, orders, customers=(), products=(), unpaid=()):
    taxes = included_taxes(sample(OrderItems, *items), sample(Orders, *orders))
    return run(
        transform,
        sample(OrderItems, *items),
        sample(Orders, *orders),
        sample(FactUnpaidCancellations, *unpaid),
        taxes,
        sample(DimCustomerVersions, *customers),
        sample(DimProductVersions, *products),
    )


def test_an_orders_discount_shipping_and_tax_are_on_its_lines_to_the_cent():
    items = [
        {"line_number": 2, "quantity": 1, "unit_price": "10", "discount": "1"},
        {"line_number": 3, "quantity": 2, "unit_price": "9", "discount": "0"},
    ]
    order = {"discount": "1.00", "shipping": "4.95", "tax": "2.10"}

    columns = ["line_number", "gross_sales", "order_discount", "net_amount", "shipping", "tax"]
    assert rows(sold(items, [order]), *columns) == [
        (2, Decimal(10), Decimal("0.33"), Decimal("8.67"), Decimal("4.95"), Decimal("2.10")),
        (3, Decimal(18), Decimal("0.67"), Decimal("17.33"), Decimal(0), Decimal(0)),
    ]


def test_what_an_export_says_beyond_the_measures_is_kept():
    item = {"tax": "1.90", "shipping": "2.50", "seller": "Shop B"}
    order = {"region": "Bavaria", "city": "Augsburg", "is_business": True, "shop_status": "Processing"}

    columns = ["region", "city", "is_business", "shop_status", "seller", "line_tax", "line_shipping"]
    assert rows(sold([item], [order]), *columns) == [
        ("Bavaria", "Augsburg", True, "Processing", "Shop B", Decimal("1.90"), Decimal("2.50"))
    ]


def test_an_order_cancelled_as_void_or_before_it_was_paid_is_no_valid_sale():
    orders = [
        {"order_id": "kept"},
        {"order_id": "void", "status": "cancelled", "cancel_reason": "void", "updated_on": "2024-01-03"},
        {"order_id": "returned", "status": "cancelled", "cancel_reason": "customer", "updated_on": "2024-01-04"},
        {"order_id": "unpaid", "status": "cancelled", "cancel_reason": "customer", "updated_on": "2024-01-05"},
    ]
    items = [{"order_id": order["order_id"]} for order in orders]

    made = sold(items, orders, unpaid=[{"order_id": "unpaid"}])

    assert rows(made, "order_id", "is_valid", "voided_on") == [
        ("kept", True, None),
        ("returned", True, None),
        ("unpaid", False, dt.date(2024, 1, 5)),
        ("void", False, dt.date(2024, 1, 3)),
    ]


def test_a_line_meets_the_versions_that_stood_when_it_was_ordered_or_the_first_of_its_product():
    items = [
        {"order_id": order, "ordered_at": moment, "product_id": "P", "quantity": 2}
        for order, moment in [
            ("early", "2024-01-01 09:59"),
            ("exact", "2024-01-01 10:00"),
            ("late", "2024-01-01 12:00"),
        ]
    ]
    orders = [{"order_id": item["order_id"], "customer_id": "C", "ordered_at": item["ordered_at"]} for item in items]
    customers = [{"customer_id": "C", "customer_key": "C1", "effective_from": "2024-01-01 10:00"}]
    products = [
        {"product_id": "P", "product_key": "P1", "effective_from": "2024-01-01 10:00", "cost": "1.25"},
        {"product_id": "P", "product_key": "P2", "effective_from": "2024-01-01 12:00", "cost": None},
    ]

    made = sold(items, orders, customers, products)

    assert rows(made, "order_id", "customer_key", "product_key", "has_later_product", "cost") == [
        ("early", None, "P1", True, Decimal("2.50")),
        ("exact", "C1", "P1", False, Decimal("2.50")),
        ("late", "C1", "P2", False, None),
    ]


def test_a_line_put_into_an_order_later_is_of_the_orders_moment_and_its_own_products_version():
    made = sold(
        [{"product_id": "P", "ordered_at": "2024-01-01 09:30"}],
        [{"ordered_at": "2024-01-01 09:00"}],
        products=[{"product_id": "P", "product_key": "P1", "effective_from": "2024-01-01 09:30"}],
    )

    assert rows(made, "ordered_at", "product_key") == [(dt.datetime.fromisoformat("2024-01-01 09:00"), "P1")]


def test_guests_and_unknown_products_stay_without_versions():
    made = sold([{}], [{}], customers=[{"customer_id": "somebody"}])

    assert rows(made, "customer_id", "customer_key", "product_key") == [(None, None, None)]


def test_a_gift_card_is_no_sale_and_carries_charges_only_where_nothing_else_was_ordered():
    line = {"ordered_at": "2024-01-02 10:00", "quantity": 1, "unit_price": "50"}
    items = [
        {**line, "order_id": "mixed", "line_number": 1, "product_id": "GC"},
        {**line, "order_id": "mixed", "line_number": 2, "product_id": "P"},
        {**line, "order_id": "only", "line_number": 1, "product_id": "GC"},
        {**line, "order_id": "void", "line_number": 1, "product_id": "GC"},
    ]
    order = {"ordered_at": "2024-01-02 10:00", "shipping": "5", "discount": "10"}
    orders = [
        {**order, "order_id": "mixed"},
        {**order, "order_id": "only"},
        {**order, "order_id": "void", "status": "cancelled", "cancel_reason": "void", "updated_on": "2024-01-03"},
    ]
    products = [
        {"product_id": "GC", "effective_from": "2024-01-01", "is_gift_card": True},
        {"product_id": "P", "effective_from": "2024-01-01"},
    ]

    made = sold(items, orders, products=products)

    columns = ["order_id", "line_number", "is_valid", "is_gift_card", "is_first_line", "shipping", "net_amount"]
    assert rows(made, *columns) == [
        ("mixed", 1, False, True, False, 0, 45),
        ("mixed", 2, True, False, True, 5, 45),
        ("only", 1, False, True, True, 5, 40),
        ("void", 1, False, True, True, 5, 40),
    ]
    assert rows(made, "order_id", "voided_on")[:3] == [("mixed", None), ("mixed", None), ("only", None)]


def test_a_discount_written_as_a_line_is_a_discount_and_no_unit():
    items = [
        {"line_number": 1, "product_id": "P", "quantity": 2, "unit_price": "10"},
        {"line_number": 2, "quantity": 1, "unit_price": "-5", "description": "Welcome"},
        {"line_number": 3, "quantity": 1, "unit_price": "3", "description": "Tip"},
    ]

    made = sold(items, [{"discount": "2"}])

    assert rows(made, "line_number", "quantity", "gross_sales", "line_discount", "order_discount") == [
        (1, 2, 20, 0, Decimal("1.74")),
        (2, 0, 0, 5, 0),
        (3, 1, 3, 0, Decimal("0.26")),
    ]


AMOUNTS = st.decimals(-20, 20, places=2)
LINES = st.lists(
    st.tuples(st.integers(1, 5), AMOUNTS, st.decimals(0, 30, places=2)),
    min_size=1,
    max_size=5,
)


@pytest.mark.slow
@settings(max_examples=30)
@given(LINES, st.decimals(0, 50, places=2), st.booleans(), st.decimals(0, 20, places=2))
def test_lines_of_any_sign_come_to_what_the_order_says(lines, discount, includes_tax, tax):
    items = [
        {"line_number": n, "quantity": quantity, "unit_price": price, "discount": less}
        for n, (quantity, price, less) in enumerate(lines, start=1)
    ]

    made = collected(sold(items, [{"discount": discount, "tax": tax, "tax_included": includes_tax}]))

    FactSales.validate(made)
    lines_amount = sum((quantity * price - less for quantity, price, less in lines), Decimal(0))
    left_out = lines_amount - discount - made["net_amount"].sum()
    assert left_out in ((0, tax) if includes_tax else (0,))
    gross = sum(quantity * price for quantity, price, _ in lines if price > 0)
    assert made["gross_sales"].sum() + made["included_tax"].sum() == gross


def test_sales_and_shipping_are_without_the_tax_that_prices_include():
    order = {"subtotal": "142.80", "shipping": "5.95", "tax": "23.75", "total": "148.75"}
    items = [
        {"line_number": 1, "quantity": 1, "unit_price": "119"},
        {"line_number": 2, "quantity": 2, "unit_price": "17.85", "discount": "11.90"},
    ]

    made = sold(items, [order])

    assert rows(made, "line_number", "gross_sales", "line_discount", "shipping", "tax") == [
        (1, 100, 0, 5, Decimal("23.75")),
        (2, 30, 10, 0, 0),
    ]
    FactSales.validate(collected(made))
