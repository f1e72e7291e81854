import datetime as dt

from ecom_assets.features.category_affinity import CategoryAffinity, transform
from ecom_assets.features.customer_product_interactions import CustomerProductInteractions
from ecom_assets_tests.samples import collected, days, rows, run, sample

DAY = dt.date(2024, 4, 1)


def row(day: dt.date, category: str, **counts):
    return {"day": day, "customer_id": "C", "product_id": category, "category": category, **counts}


def test_an_affinity_is_the_share_of_the_weighed_interactions():
    interactions = sample(
        CustomerProductInteractions,
        row(DAY, "toys", views=4, units_purchased=1),
        row(DAY - dt.timedelta(days=89), "games", cart_additions=1),
        row(DAY - dt.timedelta(days=90), "books", views=9),
        {**row(DAY - dt.timedelta(days=1), "toys", views=1), "customer_id": "inactive"},
    )

    made = run(transform, interactions, days(DAY))

    assert rows(made, "customer_id", "category", "score", "affinity") == [
        ("C", "games", 3, 0.25),
        ("C", "toys", 9, 0.75),
    ]
    CategoryAffinity.validate(collected(made))
