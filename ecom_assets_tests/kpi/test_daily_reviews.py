from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.gold.fact_reviews import FactReviews
from ecom_assets.kpi.daily_reviews import transform
from ecom_assets_tests.samples import rows, run, sample

COLUMNS = ["reviews", "product_reviews", "product_rating", "order_reviews", "order_rating"]


def test_a_review_without_a_product_rates_its_order_and_no_product():
    reviews = sample(
        FactReviews,
        {"review_id": "R1", "product_id": "P", "order_id": "O", "rating": 5},
        {"review_id": "R2", "product_id": "P", "rating": 4},
        {"review_id": "R3", "order_id": "O", "rating": 1},
        {"review_id": "R4", "reviewed_on": "2024-01-02", "order_id": "O", "rating": 2},
    )

    assert rows(run(transform, reviews), *COLUMNS) == [(1, 0, None, 1, 2.0), (3, 2, 4.5, 1, 1.0)]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 5)), min_size=1, max_size=20))
def test_every_review_is_counted_once_with_its_stars(given_):
    reviews = [
        {"review_id": f"R{n}", "product_id": "P" if of_product else None, "order_id": "O", "rating": rating}
        for n, (of_product, rating) in enumerate(given_)
    ]

    made = run(transform, sample(FactReviews, *reviews))

    of_products, of_orders = ([stars for of, stars in given_ if of is wanted] for wanted in (True, False))
    assert rows(made, "product_reviews", "product_stars", "order_reviews", "order_stars") == [
        (len(of_products), sum(of_products), len(of_orders), sum(of_orders))
    ]
