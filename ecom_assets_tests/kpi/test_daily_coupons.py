from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.gold.fact_sales import FactSales
from ecom_assets.kpi.daily_coupons import conserved, transform
from ecom_assets_tests.samples import collected, rows, run, sample


def line(order: str, coupon: str | None, gross: object, discounts: object, **more: object) -> dict[str, object]:
    return {"order_id": order, "coupon": coupon, "gross_sales": gross, "discounts": discounts, "is_valid": True, **more}


def test_all_discounts_of_an_order_count_for_its_coupon():
    sales = sample(
        FactSales,
        line("1", "SPRING", 20, 5, is_first_line=True),
        line("1", "SPRING", 10, 1, is_first_line=False),
        line("2", "SPRING", 10, 0, is_first_line=True),
        line("3", None, 8, 2, is_first_line=True),
        line("void", "SPRING", 99, 9, is_valid=False, is_first_line=True),
    )

    assert rows(run(transform, sales), "coupon", "orders", "gross_sales", "discounts", "revenue", "aov") == [
        ("(none)", 1, Decimal(8), Decimal(2), Decimal(6), 6.0),
        ("SPRING", 2, Decimal(40), Decimal(6), Decimal(34), 17.0),
    ]
    assert rows(run(transform, sales), "discount_rate") == [0.15, 0.25]


amounts = st.decimals(0, 1_000, places=4)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([None, "A", "B"]), amounts, amounts), min_size=1, max_size=12))
def test_coupons_hold_all_orders_and_discounts(given_):
    lines = [line(str(n), coupon, *money, is_first_line=True) for n, (coupon, *money) in enumerate(given_)]
    sales = sample(FactSales, *lines)

    made, due = collected(run(transform, sales)), collected(conserved(sales))

    for name in ("orders", "gross_sales", "discounts"):
        assert made[name].sum() == due[name].sum()
    assert made["discounts"].sum() == sum(discounts for *_, discounts in given_)
