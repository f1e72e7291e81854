from ecom_assets.silver.order_items import OrderItems
from ecom_assets_tests.samples import broken_rules


def test_a_line_discount_may_be_the_whole_line_and_no_more():
    line = {"quantity": 3, "unit_price": "0.333"}

    assert broken_rules(OrderItems, {**line, "discount": "0.999"}) == []
    assert broken_rules(OrderItems, {**line, "discount": "1"}) == [
        "The discount on a line does not exceed its quantity times its price."
    ]


def test_a_line_costs_less_than_ten_billion():
    assert broken_rules(OrderItems, {"quantity": 2, "unit_price": "4999999999.9999"}) == []
    assert broken_rules(OrderItems, {"quantity": 999_999_999, "unit_price": "99999999"}) == [
        "Quantity times price is less than ten billion."
    ]


def test_a_discount_written_as_a_line_names_no_product_and_is_listed():
    line = {"quantity": 1, "unit_price": "-5"}

    assert broken_rules(OrderItems, line) == ["The discount on a line does not exceed its quantity times its price."]
    assert broken_rules(OrderItems, {**line, "product_id": "P"})[0] == (
        "The price of a product is at least zero; a discount written as a line names no product."
    )
