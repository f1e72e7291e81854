"""Order items: the lines of the orders."""

import narwhals as nw

from ecom_assets.contract import Decimal, Feed, Timestamp, column, currency, in_units, key, money, retraction, store


class OrderItems(
    Feed,
    primary_key=("order_id", "line_number"),
    event_column="ordered_at",
    version_column="updated_at",
    identifying=("ordered_at", "product_id"),
):
    """One row per order line and state of it."""

    order_id: str = key(
        "Order that it belongs to",
        of_store=True,
        references="silver.orders",
        on_same_day=True,
        gives_currency=True,
    )
    line_number: int = key("Line number within the order, from 1", ge=1)
    product_id: str = column(
        "Product sold; null for a line outside the catalogue: a custom item, a fee, a tip, or a discount",
        references="silver.products",
        nullable=True,
    )
    description: str = column("Product description on the line, if any", nullable=True)
    ordered_at: Timestamp = column("When the line was ordered")
    updated_at: Timestamp = column("When the line last changed")
    quantity: Decimal = in_units("Units sold", gt=0)
    unit_price: Decimal = money(
        "Price of one unit before discount; negative for a discount written as a line, which has no product"
    )
    discount: Decimal = money("Discount on the line", ge=0)
    tax: Decimal = money("Tax on the line; part of the order's tax", nullable=True)
    shipping: Decimal = money("Shipping fee of the line; part of the order's shipping", nullable=True)
    seller: str = column("Who sells it, on a marketplace of several sellers", nullable=True)
    currency: str = currency("the order's")
    store: str = store()

    @retraction
    def taken_out(cls) -> nw.Expr:
        """A line of no units was taken out of its order."""
        return nw.col("quantity") == 0
