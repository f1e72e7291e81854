import pytest

from ecom_assets.silver.reviews import Reviews
from ecom_assets_tests.samples import broken_rules


@pytest.mark.parametrize(
    ("named", "broken"),
    [
        ({"product_id": "P"}, []),
        ({"order_id": "O"}, []),
        ({"product_id": "P", "order_id": "O"}, []),
        ({}, ["A review names a product or an order."]),
    ],
)
def test_a_review_is_of_a_product_or_of_an_order(named, broken):
    assert broken_rules(Reviews, {"product_id": None, "order_id": None, **named}) == broken
