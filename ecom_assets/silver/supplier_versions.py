"""Versions of suppliers: what was known of a change of a profile, by the day on which it became known."""

import narwhals as nw

from ecom_assets.contract import Date, Table, Timestamp, column, contract, key
from ecom_assets.days import by_arrival_day
from ecom_assets.silver._versions import last_of_day
from ecom_assets.table_asset import table_asset


class SupplierVersions(Table, primary_key=("arrived_on", "supplier_id", "changed_at"), partition_column="arrived_on"):
    """One row per arrival day and change of a supplier that arrived on it."""

    arrived_on: Date = key("Day on which the change arrived")
    supplier_id: str = key("Supplier number issued by the shop")
    changed_at: Timestamp = key("Moment at which the change took effect")
    lead_time_days: int = column("Agreed lead time: days from order to receipt", nullable=True)
    is_deleted: bool = column("Whether the supplier was deleted")


def transform(bronze_suppliers: nw.LazyFrame) -> nw.LazyFrame:
    versions = last_of_day(bronze_suppliers, key=["supplier_id", "changed_at"], order=[])
    is_deleted = nw.col("is_deleted").fill_null(value=False)
    return versions.with_columns(is_deleted=is_deleted).select(*contract(SupplierVersions).columns)


asset = table_asset(SupplierVersions, transform, reads={"bronze_suppliers": by_arrival_day})
