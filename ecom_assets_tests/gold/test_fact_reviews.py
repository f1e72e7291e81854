from ecom_assets.gold.dim_customer_versions import DimCustomerVersions
from ecom_assets.gold.dim_product_versions import DimProductVersions
from ecom_assets.gold.fact_reviews import transform
from ecom_assets.silver.reviews import Reviews
from ecom_assets_tests.samples import rows, run, sample


def test_a_review_meets_the_versions_that_stood_when_it_was_written():
    reviews = sample(
        Reviews,
        {"review_id": "R1", "product_id": "P", "customer_id": "C", "text": "Good.", "reviewed_at": "2024-01-05 10:00"},
        {"review_id": "R2", "product_id": "P", "customer_id": None, "reviewed_at": "2024-01-01 10:00"},
        {"review_id": "R3", "product_id": None, "order_id": "O", "customer_id": "C", "reviewed_at": "2024-01-05 10:00"},
    )
    customers = sample(
        DimCustomerVersions, {"customer_id": "C", "customer_key": "C1", "effective_from": "2024-01-02 00:00"}
    )
    products = sample(
        DimProductVersions, {"product_id": "P", "product_key": "P1", "effective_from": "2024-01-02 00:00"}
    )

    made = run(transform, reviews, customers, products)

    assert rows(made, "review_id", "customer_key", "product_key", "has_text") == [
        ("R1", "C1", "P1", True),
        ("R2", None, None, False),
        ("R3", "C1", None, False),
    ]
