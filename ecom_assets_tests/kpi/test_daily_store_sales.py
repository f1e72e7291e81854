from decimal import Decimal

from ecom_assets.gold.fact_returns import FactReturns
from ecom_assets.gold.fact_sales import FactSales
from ecom_assets.kpi.daily_store_sales import transform
from ecom_assets_tests.samples import rows, run, sample


def line(store: str | None, number: str, amount: int, first: bool = True, valid: bool = True) -> dict[str, object]:
    amounts = {"gross_sales": amount, "net_amount": amount, "quantity": 1}
    return {"store": store, "order_id": number, "is_first_line": first, "is_valid": valid, **amounts}


def test_orders_and_refunds_are_summed_by_store_and_those_without_one_are_unknown():
    sales = sample(
        FactSales,
        line("de", "de:1", 10),
        line("de", "de:1", 5, first=False),
        line("fr", "fr:1", 20),
        line("fr", "fr:2", 99, valid=False),
        line(None, "1", 7),
    )
    returns = sample(FactReturns, {"store": "fr", "returned_on": "2024-01-01", "amount": 8})

    made = run(transform, sales, returns)

    assert rows(made, "store", "orders", "units", "gross_sales", "returns", "net_sales", "aov") == [
        ("de", 1, 2, Decimal(15), Decimal(0), Decimal(15), 15.0),
        ("fr", 1, 1, Decimal(20), Decimal(8), Decimal(12), 20.0),
        ("unknown", 1, 1, Decimal(7), Decimal(0), Decimal(7), 7.0),
    ]
