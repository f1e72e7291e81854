import inspect
from decimal import Decimal

from ecom_assets.gold.agg_customer_metrics import AggCustomerMetrics
from ecom_assets.gold.fact_sales import FactSales
from ecom_assets.kpi.daily_margin import DailyMargin
from ecom_assets.kpi.daily_sales import DailySales
from ecom_assets.kpi.monthly_cohorts import MonthlyCohorts
from ecom_assets.kpi.settled_reconciliation import SettledReconciliation, transform
from ecom_assets.kpi.unsettled_orders import UnsettledOrders
from ecom_assets.silver.ad_spend import AdSpend
from ecom_assets.silver.order_items import OrderItems
from ecom_assets.silver.orders import Orders
from ecom_assets.silver.payments import Payments
from ecom_assets.silver.shipments import Shipments
from ecom_assets_tests.samples import broken_rules, collected, days, run, sample

DAY = "2024-01-31"
ORDERED = {"ordered_on": DAY, "status": "paid", "cancel_reason": None}
LINE = {"ordered_on": DAY, "quantity": 2, "unit_price": "10", "discount": "1"}
PAID = {"paid_on": DAY, "status": "captured", "fee": "0"}
BOUGHT = {"first_order_on": "2024-01-02", "net_sales_to_date": "70"}
SAME = {
    "silver_order_items": (
        OrderItems,
        [{**LINE, "order_id": order} for order in ("short", "kept", "paid", "lacks a line")],
    ),
    "silver_orders": (
        Orders,
        [
            {**ORDERED, "order_id": "short", "discount": "2", "shipping": "3", "tax": "4"},
            {**ORDERED, "order_id": "kept", "status": "cancelled", "cancel_reason": "customer"},
            {**ORDERED, "order_id": "paid"},
            {**ORDERED, "order_id": "lacks a line", "total": "40"},
            {**ORDERED, "order_id": "without lines", "shipping": "8", "total": "70"},
        ],
    ),
    "silver_payments": (
        Payments,
        [
            {**PAID, "order_id": "short", "amount": "20", "fee": "1"},
            {**PAID, "order_id": "kept", "amount": "30"},
            {**PAID, "order_id": "kept", "amount": "5", "status": "refunded", "paid_on": "2024-03-16"},
            {**PAID, "order_id": "kept", "amount": "7", "status": "refunded", "paid_on": "2024-03-17"},
            {**PAID, "order_id": "paid", "amount": "19", "paid_on": "2024-02-07", "fee": "2"},
            {**PAID, "order_id": "paid", "amount": "9", "status": "failed"},
            {**PAID, "order_id": "lacks a line", "amount": "40"},
        ],
    ),
    "silver_shipments": (Shipments, [{"ordered_on": DAY, "cost": "6"}]),
    "silver_ad_spend": (AdSpend, [{"shown_on": DAY, "spend": "9"}]),
    "gold_fact_sales": (
        FactSales,
        [
            {"ordered_on": DAY, "order_id": order, "line_number": number, "cost": cost}
            for order, number, cost in (("short", 1, "5"), ("paid", 1, "3"), ("paid", 2, None), ("kept", 1, "100"))
        ],
    ),
    "gold_agg_customer_metrics": (
        AggCustomerMetrics,
        [
            {**BOUGHT, "day": "2024-01-02", "customer_id": "C", "net_sales_to_date": "50"},
            {**BOUGHT, "day": "2024-01-30", "customer_id": "C"},
            {**BOUGHT, "day": "2024-02-01", "customer_id": "C", "net_sales_to_date": "99"},
            {"day": DAY, "customer_id": "never bought", "first_order_on": None, "net_sales_to_date": "-3"},
        ],
    ),
    "kpi_daily_sales": (DailySales, [{"day": DAY, "net_sales": "40"}, {"day": DAY, "net_sales": "2"}]),
    "kpi_daily_margin": (
        DailyMargin,
        [
            {
                "day": DAY,
                "net_sales": "42",
                "cost_of_goods": "8",
                "shipping_cost": "6",
                "payment_fees": "1",
                "marketing": "9",
            }
        ],
    ),
    "kpi_unsettled_orders": (
        UnsettledOrders,
        [{"ordered_on": DAY, "difference": difference} for difference in ("-4", "25", "-70")],
    ),
    "kpi_monthly_cohorts": (
        MonthlyCohorts,
        [{"month_end": DAY, "net_sales_to_date": "50"}, {"month_end": DAY, "net_sales_to_date": "20"}],
    ),
}


def reconciled(**other):
    frames = {**SAME, **other}
    return collected(run(transform, *(sample(model, *lines) for model, lines in frames.values()), days(DAY)))


def test_the_frames_are_those_of_the_transform():
    assert [*SAME, "days"] == list(inspect.signature(transform).parameters)


def test_each_table_is_held_against_what_it_is_made_of():
    made = reconciled()

    assert sorted(made.select("measure", "amount_upstream").rows()) == [
        ("cost_of_goods", Decimal(8)),
        ("difference", Decimal(-49)),
        ("marketing", Decimal(9)),
        ("net_sales", Decimal(42)),
        ("net_sales_to_date", Decimal(70)),
        ("payment_fees", Decimal(1)),
        ("shipping_cost", Decimal(6)),
    ]
    assert made["amount"].equals(made["amount_upstream"])
    SettledReconciliation.validate(made)


def test_an_order_that_is_not_listed_and_a_cohort_without_a_customer_are_found():
    made = reconciled(
        kpi_unsettled_orders=(UnsettledOrders, [{"ordered_on": DAY, "difference": "25"}]),
        kpi_daily_margin=(DailyMargin, []),
        kpi_monthly_cohorts=(MonthlyCohorts, [{"month_end": DAY, "net_sales_to_date": "69.99"}]),
    )

    broken = [row for row in made.iter_rows(named=True) if broken_rules(SettledReconciliation, row)]
    assert sorted((row["measure"], row["amount"]) for row in broken) == [
        ("cost_of_goods", Decimal(0)),
        ("difference", Decimal(25)),
        ("marketing", Decimal(0)),
        ("net_sales", Decimal(0)),
        ("net_sales_to_date", Decimal("69.99")),
        ("payment_fees", Decimal(0)),
        ("shipping_cost", Decimal(0)),
    ]
