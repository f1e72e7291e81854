"""Events: what visitors do in the shop, in Segment's e-commerce vocabulary."""

from ecom_assets.contract import Decimal, Feed, Timestamp, column, in_units, key, money, store

EVENT_NAMES = [
    "Page Viewed",
    "Products Searched",
    "Product List Viewed",
    "Product List Filtered",
    "Promotion Viewed",
    "Promotion Clicked",
    "Product Clicked",
    "Product Viewed",
    "Product Added",
    "Product Removed",
    "Cart Viewed",
    "Checkout Started",
    "Checkout Step Viewed",
    "Checkout Step Completed",
    "Payment Info Entered",
    "Order Updated",
    "Order Completed",
    "Order Refunded",
    "Order Cancelled",
    "Coupon Entered",
    "Coupon Applied",
    "Coupon Denied",
    "Coupon Removed",
    "Product Added to Wishlist",
    "Product Removed from Wishlist",
    "Wishlist Product Added to Cart",
    "Product Shared",
    "Cart Shared",
    "Product Reviewed",
]


class Events(Feed, primary_key="event_id", event_column="occurred_at"):
    """One row per event of a visitor."""

    event_id: str = key("Number of the event", of_store=True)
    occurred_at: Timestamp = column("When it happened")
    event: str = column("Name of the event", isin=EVENT_NAMES)
    anonymous_id: str = column(
        "The visitor's device; null if unknown", nullable=True, words_for_nothing=True, personal=True
    )
    customer_id: str = column(
        "Customer, once known", merged_by="silver.customer_merges", nullable=True, words_for_nothing=True, personal=True
    )
    product_id: str = column("Product that it is about", nullable=True, words_for_nothing=True)
    order_id: str = column("Order that it completes", of_store=True, nullable=True, words_for_nothing=True)
    cart_id: str = column("Cart that it changes", of_store=True, nullable=True, words_for_nothing=True)
    quantity: Decimal = in_units("Units", nullable=True, ge=0)
    value: Decimal = money("Price of a unit, or total of the order, in the shop's currency", nullable=True, ge=0)
    list_id: str = column(
        "List of products that was seen: a category or a search", nullable=True, words_for_nothing=True
    )
    promotion_id: str = column("Promotion that was seen or clicked", nullable=True, words_for_nothing=True)
    coupon: str = column("Coupon that was entered, applied or refused", nullable=True, words_for_nothing=True)
    device: str = column("Kind of device: desktop, mobile, tablet", nullable=True, words_for_nothing=True)
    user_agent: str = column("User agent that the browser sends", nullable=True, personal=True)
    utm_source: str = column("Source of the visit", nullable=True, words_for_nothing=True, url_encoded=True)
    utm_medium: str = column("Medium: kind of link", nullable=True, words_for_nothing=True, url_encoded=True)
    utm_campaign: str = column(
        "Name of the campaign that brought the visit", nullable=True, words_for_nothing=True, url_encoded=True
    )
    campaign_id: str = column(
        "Number of that campaign, as in `campaigns`: the link's utm_id",
        nullable=True,
        words_for_nothing=True,
        by_rule=(),
    )
    store: str = store()
