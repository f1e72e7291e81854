from decimal import Decimal

from ecom_assets.gold.dim_customer_versions import DimCustomerVersions
from ecom_assets.gold.dim_product_versions import DimProductVersions
from ecom_assets.gold.fact_included_taxes import FactIncludedTaxes
from ecom_assets.gold.fact_returns import FactReturns, transform
from ecom_assets.silver.returns import Returns
from ecom_assets_tests.samples import collected, rows, run, sample


def test_a_return_meets_the_versions_that_stood_when_it_was_refunded():
    returns = sample(Returns, {"customer_id": "C", "product_id": "P", "returned_at": "2024-01-01 11:00"})
    customers = sample(
        DimCustomerVersions,
        {"customer_id": "C", "customer_key": "C1", "effective_from": "2024-01-01 10:00"},
        {"customer_id": "C", "customer_key": "C2", "effective_from": "2024-01-01 11:00:01"},
    )
    products = sample(DimProductVersions, {"product_id": "P", "product_key": "P1", "effective_from": "2023-01-01"})

    assert rows(
        run(transform, returns, sample(FactIncludedTaxes), customers, products), "customer_key", "product_key"
    ) == [("C1", "P1")]


def test_a_refund_without_goods_has_no_units():
    products = sample(DimProductVersions, {"product_id": "GC", "effective_from": "2023-01-01", "is_gift_card": True})
    returns = sample(
        Returns, {"return_id": "R1", "shipping": "5"}, {"return_id": "R2", "product_id": "GC", "quantity": 1}
    )

    made = run(transform, returns, sample(FactIncludedTaxes), sample(DimCustomerVersions), products)

    assert rows(made, "return_id", "quantity", "product_key", "is_gift_card")[0] == ("R1", 0, None, False)
    assert rows(made, "is_gift_card") == [False, True]


def test_a_refund_includes_the_tax_as_it_says_or_as_its_order_did():
    refund = {"order_id": "incl", "amount": "119", "shipping": "5.95", "tax": "19.95"}
    returns = sample(
        Returns,
        {**refund, "return_id": "as the order"},
        {**refund, "return_id": "as it says", "tax_included": False},
        {**refund, "return_id": "of another", "order_id": "other"},
        {**refund, "return_id": "without one", "order_id": None, "tax_included": True},
    )
    taxed = sample(FactIncludedTaxes, {"order_id": "incl"}, {"order_id": "incl", "line_number": 1})

    made = run(transform, returns, taxed, sample(DimCustomerVersions), sample(DimProductVersions))

    assert rows(made, "return_id", "amount", "shipping", "tax") == [
        ("as it says", 119, Decimal("5.95"), Decimal("19.95")),
        ("as the order", 100, 5, Decimal("19.95")),
        ("of another", 119, Decimal("5.95"), Decimal("19.95")),
        ("without one", 100, 5, Decimal("19.95")),
    ]
    FactReturns.validate(collected(made))


def test_an_order_of_a_later_day_does_not_say_what_a_refund_includes():
    returns = sample(
        Returns, {"order_id": "moved", "returned_on": "2024-01-01", "amount": "119", "shipping": 0, "tax": 19}
    )
    taxed = sample(FactIncludedTaxes, {"order_id": "moved", "ordered_on": "2024-01-02"})

    made = run(transform, returns, taxed, sample(DimCustomerVersions), sample(DimProductVersions))

    assert rows(made, "amount") == [119]
