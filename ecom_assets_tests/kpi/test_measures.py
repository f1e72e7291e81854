"""Every measure that people ask for exists, once for each thing that it is about."""

import pytest

from ecom_assets import catalog
from ecom_assets.contract import Layer

SALES = {"daily_sales", "daily_product_sales", "daily_category_sales", "daily_store_sales"}
WHERE = {
    "gross_sales": {*SALES, "daily_coupons"},
    "discounts": {*SALES, "daily_coupons"},
    "returns": SALES,
    "net_sales": {*SALES, "daily_margin", "monthly_cohorts"},
    "asp": {"daily_sales", "daily_product_sales", "daily_category_sales"},
    "total_sales": {"daily_sales", "daily_store_sales"},
    "aov": {"daily_sales", "daily_store_sales", "daily_coupons"},
    "units_per_order": {"daily_sales"},
    "cancel_rate": {"daily_sales"},
    "refund_rate_value": {"daily_refund_rates"},
    "refund_rate_orders": {"daily_refund_rates"},
    "contribution_margin": {"daily_margin"},
    "returning_customer_rate": {"daily_customers"},
    "median_days_between_orders": {"daily_customers"},
    "new_sales": {"daily_customers"},
    "returning_sales": {"daily_customers"},
    "repeat_purchase_rate": {"daily_repeat_rates", "monthly_repeat_rates"},
    "retention_rate": {"monthly_cohorts"},
    "net_sales_per_customer": {"monthly_cohorts"},
    "recency_score": {"customer_rfm"},
    "frequency_score": {"customer_rfm"},
    "monetary_score": {"customer_rfm"},
    "segment": {"customer_rfm"},
    "conversion_rate": {"daily_funnel"},
    "cart_abandonment_rate": {"daily_carts"},
    "product_rating": {"daily_reviews"},
    "order_rating": {"daily_reviews"},
    "authorised_amount": {"daily_payments"},
    "captured_amount": {"daily_payments"},
    "failed_amount": {"daily_payments"},
    "refunded_amount": {"daily_payments"},
    "fees": {"daily_payments"},
    "payment_failure_rate": {"daily_payments"},
    "spend": {"daily_marketing", "daily_acquisition", "unmatched_campaigns"},
    "impressions": {"daily_marketing"},
    "clicks": {"daily_marketing", "unmatched_campaigns", "daily_list_clicks"},
    "ctr": {"daily_marketing"},
    "click_through_rate": {"daily_list_clicks"},
    "cpc": {"daily_marketing"},
    "cpm": {"daily_marketing"},
    "cac": {"daily_marketing", "daily_acquisition"},
    "roas": {"daily_marketing"},
    "new_roas": {"daily_marketing"},
    "mer": {"daily_acquisition"},
    "orders": {
        "daily_sales",
        "daily_product_sales",
        "daily_category_sales",
        "daily_store_sales",
        "daily_coupons",
        "daily_customers",
        "daily_refund_rates",
        "daily_marketing",
        "daily_acquisition",
        "attribution",
    },
    "on_hand": {"daily_inventory", "daily_stock_reconciliation"},
    "stock_value": {"daily_inventory"},
    "sell_through_28d": {"daily_inventory"},
    "days_of_supply": {"daily_inventory"},
    "turnover_28d": {"daily_inventory"},
    "stock_out_rate": {"daily_inventory"},
    "abc_class": {"product_abc"},
    "on_time_shipping": {"daily_fulfilment"},
    "median_hours_to_ship": {"daily_fulfilment"},
    "median_hours_to_deliver": {"daily_fulfilment"},
}
ONE_DEFINITION = {"gross_sales", "discounts", "returns", "asp", "spend", "cac"}


TABLES = [table for table in catalog.tables() if table.contract.layer is Layer.KPI]


@pytest.mark.parametrize("measure", WHERE)
def test_a_measure_stands_where_it_is_looked_for_and_nowhere_else(measure):
    holding = {table.name.removeprefix("kpi.") for table in TABLES if measure in table.contract.columns}

    assert holding == WHERE[measure]


@pytest.mark.parametrize("measure", sorted(ONE_DEFINITION))
def test_a_measure_of_several_tables_has_one_definition(measure):
    columns = [table.contract.columns[measure] for table in TABLES if measure in table.contract.columns]

    described = {column.description for column in columns}
    assert len(described) == 1, described
