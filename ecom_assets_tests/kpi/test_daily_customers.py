from decimal import Decimal

from ecom_assets.gold.agg_customer_metrics import AggCustomerMetrics
from ecom_assets.gold.fact_sales import FactSales
from ecom_assets.kpi.daily_customers import DailyCustomers, transform
from ecom_assets_tests.samples import collected, rows, run, sample


def test_orders_are_new_returning_or_of_guests():
    customers = sample(
        AggCustomerMetrics,
        {"orders": 2, "new_orders": 1, "gross_sales": "9", "discounts": "1", "new_sales": "5"},
        {"orders": 1, "gross_sales": "7", "previous_order_on": "2023-12-01"},
        {"orders": 0, "returns": "3", "previous_order_on": "2023-12-01"},
    )
    guest = {"is_valid": True, "net_amount": "2"}
    sales = sample(
        FactSales,
        {**guest, "is_first_line": True},
        {**guest, "is_first_line": False},
        {**guest, "is_first_line": True, "is_valid": False},
        {**guest, "is_first_line": True, "customer_id": "known"},
    )

    made = run(transform, customers, sales)

    assert rows(made, "orders", "new_orders", "returning_orders", "guest_orders") == [(4, 1, 2, 1)]
    assert rows(made, "new_sales", "returning_sales", "guest_sales") == [(Decimal(5), Decimal(10), Decimal(4))]
    assert rows(made, "buyers", "returning_buyers", "returning_customer_rate") == [(2, 1, 0.5)]
    DailyCustomers.validate(collected(made))
