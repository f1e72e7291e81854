from decimal import Decimal

from ecom_assets.kpi.incomplete_orders import IncompleteOrders, transform
from ecom_assets.silver.order_items import OrderItems
from ecom_assets.silver.orders import Orders
from ecom_assets_tests.samples import collected, rows, run, sample


def test_an_order_whose_lines_do_not_come_to_its_subtotal_is_listed():
    orders = sample(
        Orders,
        {"order_id": "whole", "subtotal": "38"},
        {"order_id": "a line is late", "subtotal": "38"},
        {"order_id": "all lines are late", "subtotal": "38"},
        {"order_id": "dearer lines", "subtotal": "18.99"},
        {"order_id": "without subtotal"},
        {"order_id": "neither lines nor subtotal"},
        {"order_id": "total of the lines", "total": "25", "discount": "4", "shipping": "8", "tax": "2"},
        {"order_id": "total of other lines", "total": "25", "discount": "4", "shipping": "8", "tax": "1"},
        {"order_id": "total with its tax", "total": "25", "shipping": "6", "tax": "2", "tax_included": True},
    )
    line = {"quantity": 2, "unit_price": "10", "discount": "1"}
    items = sample(
        OrderItems,
        {**line, "order_id": "whole"},
        {**line, "order_id": "whole", "line_number": 2},
        {**line, "order_id": "a line is late"},
        {**line, "order_id": "dearer lines"},
        {**line, "order_id": "without subtotal"},
        {**line, "order_id": "total of the lines"},
        {**line, "order_id": "total of other lines"},
        {**line, "order_id": "total with its tax"},
    )

    made = run(transform, orders, items)

    assert rows(made, "order_id", "difference") == [
        ("a line is late", Decimal(19)),
        ("all lines are late", Decimal(38)),
        ("dearer lines", Decimal("-0.01")),
        ("neither lines nor subtotal", None),
        ("total of other lines", Decimal(1)),
    ]
    IncompleteOrders.validate(collected(made))
