from decimal import Decimal

from ecom_assets.gold.dim_product_versions import transform
from ecom_assets.silver.products import Products
from ecom_assets_tests.samples import days, rows, run, sample


def test_a_new_price_makes_a_version_and_codes_differ_by_case():
    products = sample(
        Products,
        {"product_id": "85123A", "changed_at": "2024-01-01 10:00", "price": "2.55"},
        {"product_id": "85123A", "changed_at": "2024-01-01 11:00", "price": "2.95"},
        {"product_id": "85123a", "changed_at": "2024-01-01 12:00", "price": "2.95"},
    )

    assert rows(run(transform, products, days("2024-01-01")), "product_key") == [
        "85123A@2024-01-01T10:00:00.000000",
        "85123A@2024-01-01T11:00:00.000000",
        "85123a@2024-01-01T12:00:00.000000",
    ]


def test_a_deletion_is_a_version_with_what_was_known_last():
    products = sample(
        Products,
        {"product_id": "A", "changed_at": "2024-01-01 10:00", "price": "2.55", "category": "Shoes"},
        {"product_id": "A", "changed_at": "2024-01-01 11:00", "price": None, "is_deleted": True},
        {"product_id": "A", "changed_at": "2024-01-01 12:00", "price": None, "is_deleted": True},
        {"product_id": "A", "changed_at": "2024-01-01 13:00", "price": "2.55", "category": "Shoes"},
        {"product_id": "B", "changed_at": "2024-01-01 10:00", "price": None, "is_deleted": True},
    )

    made = run(transform, products, days("2024-01-01"))

    assert rows(made, "product_key", "is_deleted", "price", "category") == [
        (f"A@2024-01-01T{hour}:00:00.000000", is_deleted, Decimal("2.55"), "Shoes")
        for hour, is_deleted in ((10, False), (11, True), (13, False))
    ]


def test_what_a_product_is_goes_before_how_it_is_called():
    products = [
        {"product_id": "by kind", "kind": "gift_card"},
        {"product_id": "by category", "category": "Gift cards"},
        {"product_id": "by name", "name": "Gift card 50"},
        {"product_id": "goods", "kind": "goods", "category": "Gift cards"},
        {"product_id": "others", "category": "Gifts"},
    ]

    made = run(transform, sample(Products, *products), days("2024-01-01"))

    cards = [product for product, is_card in rows(made, "product_id", "is_gift_card") if is_card]
    assert cards == ["by category", "by kind", "by name"]
