"""Versions of deliveries of suppliers: what was known of one, by the day on which it became known."""

import narwhals as nw

from ecom_assets.contract import Date, Table, column, contract, key
from ecom_assets.days import by_arrival_day
from ecom_assets.silver._versions import last_of_day
from ecom_assets.table_asset import table_asset


class ReceiptVersions(Table, primary_key=("arrived_on", "receipt_id"), partition_column="arrived_on"):
    """One row per arrival day and line of a delivery of which a valid version arrived."""

    arrived_on: Date = key("Day on which the version arrived")
    receipt_id: str = key("Line number of the receipt")
    supplier_id: str = column("Supplier", nullable=True)
    product_id: str = column("Product received", nullable=True)
    ordered_on: Date = column("Day of the order to the supplier", nullable=True)
    received_on: Date = column("Business day of receipt; the arrival day if not given")
    is_retracted: bool = column("Whether the line was deleted")


def transform(bronze_purchase_receipts: nw.LazyFrame) -> nw.LazyFrame:
    versions = last_of_day(bronze_purchase_receipts, key=["receipt_id"], order=[])
    return versions.with_columns(is_retracted="is_retraction").select(*contract(ReceiptVersions).columns)


asset = table_asset(ReceiptVersions, transform, reads={"bronze_purchase_receipts": by_arrival_day})
