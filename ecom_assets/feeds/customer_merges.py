"""Customer merges: a row each time a customer number is merged into another."""

from ecom_assets.contract import Feed, Timestamp, column, key


class CustomerMerges(Feed, primary_key=("customer_id", "merged_at"), event_column="merged_at"):
    """One row per customer number and merge; the latest row about a number counts, for all days."""

    customer_id: str = key("Customer number that was merged", personal=True)
    merged_at: Timestamp = key("When it was merged; with `is_deleted`, when that was undone")
    merged_into: str = column(
        "Customer number under which the customer goes on; it may be merged itself",
        nullable=True,
        words_for_nothing=True,
        personal=True,
    )
