"""Returns: what was refunded, for goods taken back, of orders cancelled after they were paid, or without goods."""

from ecom_assets.contract import (
    Decimal,
    Feed,
    Rate,
    Timestamp,
    column,
    currency,
    in_units,
    key,
    money,
    rate_of_currency,
    store,
)


class Returns(
    Feed, primary_key="return_id", event_column="returned_at", version_column="updated_at", identifying=("order_id",)
):
    """One row per line that was refunded and state of it."""

    return_id: str = key("Number of the refunded line", of_store=True)
    order_id: str = column(
        "Original order, if known", of_store=True, references="silver.orders", gives_currency=True, nullable=True
    )
    line_number: int = column("Line of that order", nullable=True, ge=1)
    product_id: str = column(
        "Product refunded; null if none, as for shipping or goodwill", references="silver.products", nullable=True
    )
    description: str = column("Product description on the line, if any", nullable=True)
    customer_id: str = column(
        "Customer who returned it; null for guests",
        references="silver.customers",
        merged_by="silver.customer_merges",
        nullable=True,
        personal=True,
    )
    returned_at: Timestamp = column("When it was refunded")
    updated_at: Timestamp = column("When the row last changed")
    channel: str = column("Sales channel of the original sale")
    country: str = column("Country of the return", nullable=True)
    quantity: Decimal = in_units("Units refunded; null or zero without goods", nullable=True, ge=0)
    amount: Decimal = money(
        "Refunded merchandise value; must not be sent for an order cancelled as void or test, nor after the day of its "
        "cancellation for one that was never paid",
        ge=0,
    )
    shipping: Decimal = money("Refunded shipping", ge=0)
    tax: Decimal = money("Refunded tax", ge=0)
    tax_included: bool = column(
        "Whether amount and shipping include the tax; if not given, they do if those of the order do", nullable=True
    )
    reason: str = column("Reason of the refund", nullable=True, personal=True)
    currency: str = currency("the order's")
    rate: Rate = rate_of_currency()
    store: str = store()
