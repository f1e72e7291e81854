"""Histories that ended otherwise than a clean run once, or that chance seldom finds."""

from ecom_assets_tests.histories.rows import Customer, Item, Merge, Order, Payment, Product, Rate
from ecom_assets_tests.histories.steps import Feed, History, Land, Repair, Run

_ONE_ORDER = (Land("orders", 1, "a.csv", (Order(1, on=1),)), Land("payments", 1, "a.csv", (Payment(1, on=1),)))
REMEMBERED = {
    "a file has rows of a day on which nothing landed": History(
        "gold.fact_payments", (Land("orders", 4, "a.csv", (Order(1, on=1),)),)
    ),
    "an order is gone after its payment was let in": History(
        "gold.fact_payments", (Run(), *_ONE_ORDER, Repair(), Land("orders", 1, "a.csv"))
    ),
    "a moved payment waits for another order, which comes": History(
        "gold.fact_payments",
        (
            Run(),
            *_ONE_ORDER,
            Land("payments", 2, "a.csv", (Payment(1, on=2, version=1, order=2),)),
            Repair(),
            Land("orders", 3, "a.csv", (Order(2, on=3),)),
        ),
    ),
    "good days crash in every way when they run once more": History(
        "gold.fact_payments",
        (
            Run(),
            *_ONE_ORDER,
            Repair(),
            *(Run(("silver.orders", "gold.fact_payments"), crash=n) for n in reversed(range(14))),
        ),
    ),
    "a table runs on a day that one of its inputs does not know": History(
        "gold.fact_returns",
        (Run(("bronze.returns",), 0, 0), Run(("bronze.customers", "bronze.order_items", "gold.fact_returns"), 0, 0)),
    ),
    "a customer is gone whom an order names with a tab behind": History(
        "silver.orders",
        (
            Land("customers", 0, "a.csv", (Customer(1, on=0), Customer(2, on=0))),
            Land("orders", 0, "a.csv", (Order(1, on=0, version=1, customer=1),)),
            Repair(),
            Land("customers", 0, "a.csv", (Customer(2, on=0),)),
        ),
    ),
    "a customer is merged into one who comes later": History(
        "silver.orders",
        (
            Land("customers", 0, "a.csv", (Customer(1, on=0),)),
            Land("orders", 0, "a.csv", (Order(1, on=0, customer=1),)),
            Land("customer_merges", 1, "a.csv", (Merge(1, 2, on=1),)),
            Repair(),
            Land("customers", 2, "a.csv", (Customer(2, on=2),)),
        ),
    ),
    "customers are merged in a chain, and a part of it is undone": History(
        "silver.orders",
        (
            Land("customers", 0, "a.csv", (Customer(1, on=0), Customer(2, on=0), Customer(3, on=0))),
            Land("orders", 0, "a.csv", (Order(1, on=0, customer=1),)),
            Repair(),
            Land("customer_merges", 1, "a.csv", (Merge(1, 2, on=1),)),
            Land("customer_merges", 2, "a.csv", (Merge(2, 3, on=2),)),
            Repair(),
            Land("customer_merges", 3, "a.csv", (Merge(2, 3, on=3, fault="gone"),)),
        ),
    ),
    "a feed turns out to be of another time zone": History(
        "gold.fact_payments", (Run(), *_ONE_ORDER, Repair(), Feed("orders", "Asia/Tokyo"))
    ),
    "a rate comes late, is corrected and goes": History(
        "gold.fact_payments",
        (
            Run(),
            Land("orders", 1, "a.csv", (Order(1, on=1, currency="USD"),)),
            Land("payments", 1, "a.csv", (Payment(1, on=1),)),
            Repair(),
            Land("exchange_rates", 2, "a.csv", (Rate("USD", on=0),)),
            Repair(),
            Land("exchange_rates", 3, "a.csv", (Rate("USD", on=0, rate="3"),)),
            Repair(),
            Land("exchange_rates", 4, "a.csv", (Rate("USD", on=0, fault="deleted"),)),
        ),
    ),
    "an order turns out to be in another currency than what paid it": History(
        "gold.fact_payments",
        (
            Run(),
            Land("exchange_rates", 0, "a.csv", (Rate("USD", on=0),)),
            Land("orders", 1, "a.csv", (Order(1, on=1),)),
            Land("payments", 2, "a.csv", (Payment(1, on=2),)),
            Repair(),
            Land("orders", 3, "a.csv", (Order(1, on=1, version=1, currency="USD"),)),
        ),
    ),
    "two amounts of an order change places": History(
        "gold.agg_daily_sales",
        (
            Land("products", 0, "a.csv", (Product(1, on=0),)),
            Land("orders", 0, "a.csv", (Order(1, on=0),)),
            Land("order_items", 0, "a.csv", (Item(1, "1", on=0),)),
            Run(),
            Land("orders", 1, "a.csv", (Order(1, on=0, version=1),)),
        ),
    ),
    "an order moves with its line, and back without it": History(
        "silver.order_items",
        (
            Land("products", 0, "a.csv", (Product(1, on=0),)),
            Land("orders", 0, "a.csv", (Order(1, on=0),)),
            Land("order_items", 0, "a.csv", (Item(1, "1", on=0),)),
            Land("orders", 4, "a.csv", (Order(1, on=4, version=1),)),
            Land("order_items", 4, "a.csv", (Item(1, "1", on=4, version=1),)),
            Run(),
            Land("orders", 5, "a.csv", (Order(1, on=0, version=2),)),
        ),
    ),
}
