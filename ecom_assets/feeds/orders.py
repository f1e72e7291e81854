"""Orders: a row when an order is placed and each time it changes."""

from ecom_assets.contract import Decimal, Feed, Rate, Timestamp, column, currency, key, money, rate_of_currency, store

STATUSES = ["placed", "paid", "shipped", "delivered", "cancelled"]
CANCEL_REASONS = ["customer", "inventory", "fraud", "payment", "void", "test"]


class Orders(
    Feed,
    primary_key="order_id",
    event_column="ordered_at",
    version_column="updated_at",
    identifying=("ordered_at", "customer_id"),
):
    """One row per order and state of it."""

    order_id: str = key("Order number issued by the shop", of_store=True)
    customer_id: str = column(
        "Customer who placed it; null for guests",
        references="silver.customers",
        merged_by="silver.customer_merges",
        nullable=True,
        personal=True,
    )
    ordered_at: Timestamp = column("When it was placed")
    updated_at: Timestamp = column("When it last changed")
    status: str = column("Status", isin=STATUSES)
    cancel_reason: str = column(
        "Reason of cancellation; void if it was never paid. With a reason other than void or test the order counts as "
        "a sale, and the amount paid must come back as returns, unless payments are sent and none for it",
        nullable=True,
        isin=CANCEL_REASONS,
    )
    channel: str = column("Sales channel: web, app, marketplace, …")
    country: str = column("Destination country", nullable=True)
    region: str = column("Destination region, state or province", nullable=True)
    city: str = column("Destination city", nullable=True, personal=True)
    is_business: bool = column("Whether a business bought (B2B)", nullable=True)
    shop_status: str = column("Status in the shop's own words", nullable=True)
    subtotal: Decimal = money("Sum of its lines after line discounts", nullable=True)
    discount: Decimal = money("Discount on the whole order", ge=0)
    coupon: str = column(
        "Code of the coupon that its discounts come from, if any; of several, all codes",
        nullable=True,
        words_for_nothing=True,
    )
    shipping: Decimal = money("Shipping fee", ge=0)
    tax: Decimal = money("Tax", ge=0)
    total: Decimal = money("Amount that the customer has to pay", nullable=True)
    tax_included: bool = column(
        "Whether prices, discounts and shipping include the tax; if not given, they do if the total is subtotal less "
        "discount plus shipping, but for cents of rounding, and not nearer to that plus the tax",
        nullable=True,
    )
    currency: str = currency()
    rate: Rate = rate_of_currency()
    store: str = store()
