"""Order items, cleaned: the lines of the orders, in their latest valid state."""

import narwhals as nw

from ecom_assets.contract import Date, Timestamp, column, expectation, limit, own_columns, rule
from ecom_assets.days import by_event_day
from ecom_assets.expressions.money import extended
from ecom_assets.feeds import order_items as feed
from ecom_assets.table_asset import table_asset


class OrderItems(feed.OrderItems, partition_column="ordered_on"):
    """One row per order line, in its latest valid state."""

    ordered_on: Date = column("Business day on which the order was placed")
    updated_until: Timestamp = column("Last moment that updated_at can mean", latest_of="updated_at")
    extra: str = own_columns()

    @limit
    def price_is_an_amount(cls) -> nw.Expr:
        """Quantity times price is less than ten billion."""
        return ~extended("quantity", "unit_price").is_null()

    @rule
    def price_of_a_product(cls) -> nw.Expr:
        """The price of a product is at least zero; a discount written as a line names no product."""
        return (nw.col("unit_price") >= 0) | nw.col("product_id").is_null()

    @expectation
    def discount_within_price(cls) -> nw.Expr:
        """The discount on a line does not exceed its quantity times its price."""
        return (nw.col("discount") <= extended("quantity", "unit_price")).fill_null(value=True)

    @rule
    def updated_after_ordered(cls) -> nw.Expr:
        """A line does not change before its order is placed."""
        return nw.col("updated_until") >= nw.col("ordered_at")


def transform(bronze_order_items: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_order_items


asset = table_asset(OrderItems, transform, reads={"bronze_order_items": by_event_day})
