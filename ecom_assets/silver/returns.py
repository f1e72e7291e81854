"""Returns, cleaned: what was refunded, with or without goods, in their latest valid state."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Timestamp, column, expectation, money, own_columns, rule
from ecom_assets.days import by_event_day
from ecom_assets.feeds import returns as feed
from ecom_assets.table_asset import table_asset


class Returns(feed.Returns, partition_column="returned_on", max_bad_share=0.25):
    """One row per line that was refunded, in its latest valid state."""

    returned_on: Date = column("Business day on which it was refunded")
    updated_until: Timestamp = column("Last moment that updated_at can mean", latest_of="updated_at")
    foreign_amount: Decimal = money(
        "Amount in its own currency, if that is not the shop's", original_of="amount", nullable=True
    )
    extra: str = own_columns()

    @rule
    def line_of_an_order(cls) -> nw.Expr:
        """A return that names a line names the order too."""
        return nw.col("line_number").is_null() | ~nw.col("order_id").is_null()

    @expectation
    def units_of_a_product(cls) -> nw.Expr:
        """A return of units names their product."""
        return ~(nw.col("quantity") > 0).fill_null(value=False) | ~nw.col("product_id").is_null()

    @rule
    def updated_after_returned(cls) -> nw.Expr:
        """A return does not change before it is refunded."""
        return nw.col("updated_until") >= nw.col("returned_at")


def transform(bronze_returns: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_returns.with_columns(
        nw.col("channel").str.strip_chars().str.to_lowercase(),
        nw.col("country", "reason").str.strip_chars(),
    )


asset = table_asset(Returns, transform, reads={"bronze_returns": by_event_day})
