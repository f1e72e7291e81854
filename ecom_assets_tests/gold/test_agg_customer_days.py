from decimal import Decimal

from ecom_assets.gold.agg_customer_days import transform
from ecom_assets.gold.fact_returns import FactReturns
from ecom_assets.gold.fact_sales import FactSales
from ecom_assets_tests.samples import rows, run, sample


def sale(order_id, moment, **facts):
    return {
        "order_id": order_id,
        "ordered_at": moment,
        "ordered_on": str(moment)[:10],
        "customer_id": "C",
        "is_valid": True,
        "is_first_line": True,
        "gross_sales": "10",
        "net_amount": "10",
        **facts,
    }


def test_the_first_valid_order_is_that_by_moment_and_number():
    sales = sample(
        FactSales,
        sale("3", "2024-01-01 10:00", is_valid=False),
        sale("2", "2024-01-01 11:00", net_amount="7"),
        sale("1", "2024-01-01 11:00", net_amount="4"),
        sale("1", "2024-01-01 11:00", net_amount="1", is_first_line=False, line_number=2),
    )

    made = run(transform, sales, sample(FactReturns))

    assert rows(made, "orders", "gross_sales", "first_sales") == [(2, Decimal(30), Decimal(5))]


def test_a_day_of_refunds_alone_is_a_row_too():
    returns = sample(FactReturns, {"customer_id": "C", "amount": "2"}, {"customer_id": "C", "amount": "3"})

    made = run(transform, sample(FactSales), returns)

    columns = ["orders", "units", "gross_sales", "returns", "first_sales"]
    assert rows(made, *columns) == [(0, 0, Decimal(0), Decimal(5), Decimal(0))]


def test_guests_are_nobody():
    sales = sample(FactSales, sale("1", "2024-01-01 10:00", customer_id=None))
    returns = sample(FactReturns, {"customer_id": None, "amount": "2"})

    assert rows(run(transform, sales, returns), "customer_id") == []
