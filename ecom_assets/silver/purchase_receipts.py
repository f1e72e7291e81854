"""Purchase receipts, cleaned: goods that suppliers delivered."""

import narwhals as nw

from ecom_assets.contract import Date, column, limit, own_columns, rule
from ecom_assets.days import by_event_day
from ecom_assets.expressions.money import extended
from ecom_assets.feeds import purchase_receipts as feed
from ecom_assets.table_asset import table_asset


class PurchaseReceipts(feed.PurchaseReceipts, partition_column="received_on", max_bad_share=0.25):
    """One row per product in a delivery."""

    received_on: Date = column("Business day of receipt")
    extra: str = own_columns()

    @limit
    def cost_is_an_amount(cls) -> nw.Expr:
        """Quantity times unit cost is less than ten billion."""
        return ~extended("quantity", "unit_cost").is_null()

    @rule
    def received_after_ordered(cls) -> nw.Expr:
        """Goods do not come before they are ordered."""
        return nw.col("ordered_on").is_null() | (nw.col("ordered_on") <= nw.col("received_on"))


def transform(bronze_purchase_receipts: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_purchase_receipts


asset = table_asset(PurchaseReceipts, transform, reads={"bronze_purchase_receipts": by_event_day})
