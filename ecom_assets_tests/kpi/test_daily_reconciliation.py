import inspect
from decimal import Decimal

from ecom_assets.gold.agg_customer_metrics import AggCustomerMetrics
from ecom_assets.gold.agg_daily_sales import AggDailySales
from ecom_assets.gold.agg_product_performance import AggProductPerformance
from ecom_assets.gold.fact_included_taxes import FactIncludedTaxes
from ecom_assets.gold.fact_payments import FactPayments
from ecom_assets.gold.fact_returns import FactReturns
from ecom_assets.gold.fact_sales import FactSales
from ecom_assets.gold.fact_unpaid_cancellations import FactUnpaidCancellations
from ecom_assets.kpi.daily_category_sales import DailyCategorySales
from ecom_assets.kpi.daily_customers import DailyCustomers
from ecom_assets.kpi.daily_payments import DailyPayments
from ecom_assets.kpi.daily_product_sales import DailyProductSales
from ecom_assets.kpi.daily_reconciliation import DailyReconciliation, transform
from ecom_assets.kpi.daily_sales import DailySales
from ecom_assets.kpi.daily_store_sales import DailyStoreSales
from ecom_assets.silver.order_items import OrderItems
from ecom_assets.silver.orders import Orders
from ecom_assets.silver.payments import Payments
from ecom_assets.silver.returns import Returns
from ecom_assets_tests.samples import DAY, broken_rules, collected, days, rows, run, sample

SUMS = {"gross_sales": "20", "discounts": "5", "returns": "4", "net_sales": "11"}
CHARGES = {"shipping": "6", "tax": "3", "refunded_shipping": "2", "refunded_tax": "1", "total_sales": "17"}
GUEST = {"gross_sales": "8", "discounts": "2", "net_amount": "6", "is_valid": True}
SAME = {
    "silver_order_items": (
        OrderItems,
        [
            {"order_id": "1", "quantity": 2, "unit_price": "10", "discount": "2"},
            {"order_id": "test", "quantity": 1, "unit_price": "9"},
            {"order_id": "unpaid", "quantity": 1, "unit_price": "9"},
        ],
    ),
    "silver_orders": (
        Orders,
        [
            {"order_id": "1", "discount": "3", "shipping": "6", "tax": "3"},
            {"order_id": "test", "discount": "1", "shipping": "9", "tax": "9", "cancel_reason": "test"},
            {"order_id": "unpaid", "shipping": "9", "status": "cancelled", "cancel_reason": "customer"},
            {"order_id": "without lines", "discount": "7"},
        ],
    ),
    "silver_returns": (Returns, [{"amount": "4", "shipping": "2", "tax": "1"}]),
    "silver_payments": (Payments, [{"amount": "15", "status": "captured"}, {"amount": "9", "status": "failed"}]),
    "gold_fact_sales": (
        FactSales,
        [
            {**GUEST, "gross_sales": "12", "discounts": "3", "net_amount": "9", "shipping": "6", "customer_id": "C"},
            {**GUEST, "tax": "3"},
            {"gross_sales": "9", "discounts": "1", "net_amount": "8", "tax": "9"},
        ],
    ),
    "gold_fact_returns": (
        FactReturns,
        [{"amount": "4", "shipping": "2", "tax": "1", "amount_sent": "4", "shipping_sent": "2"}],
    ),
    "gold_fact_payments": (FactPayments, [{"received": "15"}, {"received": "-3"}]),
    "gold_fact_unpaid_cancellations": (FactUnpaidCancellations, [{"order_id": "unpaid"}]),
    "gold_fact_included_taxes": (FactIncludedTaxes, []),
    "gold_agg_daily_sales": (AggDailySales, [{**SUMS, **CHARGES}]),
    "gold_agg_product_performance": (AggProductPerformance, [SUMS]),
    "gold_agg_customer_metrics": (
        AggCustomerMetrics,
        [{"gross_sales": "12", "discounts": "3", "net_sales": "9"}],
    ),
    "kpi_daily_sales": (DailySales, [{**SUMS, **CHARGES}]),
    "kpi_daily_product_sales": (DailyProductSales, [SUMS]),
    "kpi_daily_category_sales": (DailyCategorySales, [SUMS]),
    "kpi_daily_store_sales": (DailyStoreSales, [{**SUMS, **CHARGES}]),
    "kpi_daily_customers": (DailyCustomers, [{"new_sales": "5", "returning_sales": "4", "guest_sales": "6"}]),
    "kpi_daily_payments": (DailyPayments, [{"captured_amount": "15"}]),
}


def reconciled(**other):
    frames = {**SAME, **other}
    return run(transform, *(sample(model, *frames[name][1]) for name, (model, _) in SAME.items()), days(DAY))


def test_the_frames_are_those_of_the_transform():
    assert [*SAME, "days"] == list(inspect.signature(transform).parameters)


def test_each_table_is_held_against_silver():
    made = reconciled()

    assert set(rows(made, "measure", "amount_in_silver")) == {
        ("gross_sales", Decimal(20)),
        ("discounts", Decimal(5)),
        ("returns", Decimal(4)),
        ("net_sales", Decimal(11)),
        ("shipping", Decimal(6)),
        ("tax", Decimal(3)),
        ("refunded_shipping", Decimal(2)),
        ("refunded_tax", Decimal(1)),
        ("total_sales", Decimal(17)),
        ("revenue", Decimal(15)),
        ("captured", Decimal(15)),
        ("gift_cards_sold", Decimal(0)),
    }
    assert rows(made, "amount") == rows(made, "amount_in_silver")
    DailyReconciliation.validate(collected(made))


def test_a_cent_that_is_lost_and_a_day_that_is_missing_are_found():
    made = collected(
        reconciled(
            gold_agg_customer_metrics=(AggCustomerMetrics, []),
            kpi_daily_sales=(DailySales, [{**SUMS, **CHARGES, "discounts": "5.01", "tax": "2.99"}]),
            kpi_daily_customers=(DailyCustomers, [{"new_sales": "9"}]),
            kpi_daily_payments=(DailyPayments, []),
        )
    )

    broken = [row for row in made.iter_rows(named=True) if broken_rules(DailyReconciliation, row)]
    assert sorted((row["table_name"], row["measure"], row["amount"]) for row in broken) == [
        ("gold.agg_customer_metrics", "discounts", Decimal(2)),
        ("gold.agg_customer_metrics", "gross_sales", Decimal(8)),
        ("gold.agg_customer_metrics", "net_sales", Decimal(2)),
        ("kpi.daily_customers", "revenue", Decimal(9)),
        ("kpi.daily_payments", "captured", Decimal(0)),
        ("kpi.daily_sales", "discounts", Decimal("5.01")),
        ("kpi.daily_sales", "tax", Decimal("2.99")),
    ]


def test_gift_cards_are_held_against_silver_apart():
    item, order = {"order_id": "1", "line_number": 9, "quantity": 1}, {"order_id": "1", "discount": "1"}
    gift_line = {"order_id": "1", "line_number": 9, "is_gift_card": True, "gross_sales": "50", "discounts": "1"}
    sums = {"gross_sales": "0", "discounts": "0", "returns": "0", "net_sales": "0", "gift_cards_sold": "19"}
    frames = {name: (model, []) for name, (model, _) in SAME.items()} | {
        "silver_order_items": (OrderItems, [{**item, "unit_price": "50"}]),
        "silver_orders": (Orders, [order]),
        "silver_returns": (Returns, [{"return_id": "R", "amount": "30"}]),
        "silver_payments": (Payments, [{"amount": "50", "status": "captured", "method": "gift_card"}]),
        "gold_fact_sales": (FactSales, [{**gift_line, "order_discount": "1", "net_amount": "49"}]),
        "gold_fact_returns": (
            FactReturns,
            [{"return_id": "R", "is_gift_card": True, "amount": "30", "amount_sent": "30"}],
        ),
        "gold_fact_payments": (FactPayments, [{"received": "50", "is_gift_card": True}]),
        "gold_agg_daily_sales": (AggDailySales, [sums]),
        "kpi_daily_sales": (DailySales, [sums]),
        "kpi_daily_store_sales": (DailyStoreSales, [sums]),
    }

    made = reconciled(**frames)

    assert {(measure, amount) for measure, amount in rows(made, "measure", "amount_in_silver") if amount} == {
        ("gift_cards_sold", Decimal(19))
    }
    DailyReconciliation.validate(collected(made))
