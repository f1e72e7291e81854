"""Returns: what was refunded, for goods taken back or of orders cancelled after they were paid."""

from ecom_assets.contract import Decimal, Table, Timestamp, column, key, money


class Returns(Table, primary_key="return_id", event_column="returned_at", version_column="updated_at"):
    """One row per line that was refunded and state of it."""

    return_id: str = key("Number of the refunded line")
    order_id: str = column("The order it comes from, where known", references="silver.orders", nullable=True)
    line_number: int = column("The line of that order", nullable=True, ge=1)
    product_id: str = column("What it was refunded for", references="silver.products")
    description: str = column("What the line calls it, where it says", nullable=True)
    customer_id: str = column("Who returned it; null for guests", references="silver.customers", nullable=True)
    returned_at: Timestamp = column("When it was refunded")
    updated_at: Timestamp = column("When the row last changed")
    channel: str = column("Where it had been sold")
    country: str = column("Country it was returned from", nullable=True)
    quantity: int = column("Units refunded", gt=0)
    amount: Decimal = money(
        "Refunded merchandise value; of an order cancelled as void or test none is to be sent, since it was no sale",
        ge=0,
    )
    shipping: Decimal = money("Refunded shipping", ge=0)
    tax: Decimal = money("Refunded tax", ge=0)
    reason: str = column("Why it was refunded", nullable=True)
