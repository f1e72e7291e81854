from ecom_assets.gold.fact_carts import FactCarts
from ecom_assets.kpi.daily_carts import DailyCarts, transform
from ecom_assets_tests.samples import collected, rows, run, sample


def test_abandoned_carts_are_a_share_of_the_carts_created():
    carts = [{"cart_id": str(n), "is_purchased": n == 3, "device": "mobile"} for n in range(4)]

    made = run(transform, sample(FactCarts, *carts, {"device": "tablet", "is_purchased": True}))

    assert rows(made, "device", "carts", "cart_abandonment_rate") == [("mobile", 4, 0.75), ("tablet", 1, 0.0)]
    DailyCarts.validate(collected(made))
