"""Reviews: what customers write about products, or about an order as a whole."""

from ecom_assets.contract import Feed, Timestamp, column, key, store


class Reviews(Feed, primary_key="review_id", event_column="reviewed_at"):
    """One row per review."""

    review_id: str = key("Number of the review", of_store=True)
    product_id: str = column(
        "Product reviewed; null for a review of the order as a whole", references="silver.products", nullable=True
    )
    customer_id: str = column(
        "Customer who wrote it; null for guests",
        references="silver.customers",
        merged_by="silver.customer_merges",
        nullable=True,
        personal=True,
    )
    order_id: str = column(
        "Order in which it was bought, or that is reviewed, if known",
        of_store=True,
        references="silver.orders",
        nullable=True,
    )
    reviewed_at: Timestamp = column("When it was written")
    rating: int = column("Stars, from 1 to 5", ge=1, le=5)
    title: str = column("Heading", nullable=True, personal=True)
    text: str = column("Text", nullable=True, personal=True)
    store: str = store()
