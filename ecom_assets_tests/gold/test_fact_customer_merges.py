from ecom_assets.gold.fact_customer_merges import FactCustomerMerges, transform
from ecom_assets.silver.customer_merges import CustomerMerges
from ecom_assets_tests.samples import broken_rules, collected, sample


def test_a_merge_that_leads_back_to_its_number_closes_a_circle_unless_it_is_undone_before():
    merges = sample(
        CustomerMerges,
        {"customer_id": "b", "merged_into": "c", "merged_at": "2024-01-02 10:00"},
        {"customer_id": "a", "merged_into": "b", "merged_at": "2024-01-01 10:00"},
        {"customer_id": "c", "merged_into": "a", "merged_at": "2024-01-03 10:00"},
        {"customer_id": "b", "merged_into": None, "is_deleted": True, "merged_at": "2024-01-04 10:00"},
        {"customer_id": "c", "merged_into": "a", "merged_at": "2024-01-05 10:00"},
    )

    made = transform(collected(merges))

    assert made.select("customer_id", "merged_into", "is_deleted", "closes_circle").rows() == [
        ("a", "b", False, False),
        ("b", "c", False, False),
        ("c", "a", False, True),
        ("b", None, True, False),
        ("c", "a", False, False),
    ]


def test_a_circle_is_listed():
    assert broken_rules(FactCustomerMerges, {"closes_circle": True}) == [
        "No customer is merged into one that goes on under its own number."
    ]
