"""Suppliers through time: a version each time something about a supplier changes."""

import narwhals as nw

from ecom_assets.contract import Date, Table, Timestamp, column, contract, key, own_columns
from ecom_assets.days import history
from ecom_assets.expressions.keys import key_at
from ecom_assets.expressions.versions import versions, view_of
from ecom_assets.table_asset import table_asset

ATTRIBUTES = ["name", "city", "country", "lead_time_days", "extra"]
VIEW = ("gold.dim_supplier", view_of("gold.dim_supplier_versions", "supplier_id", ["gold.fact_purchase_receipts"]))


class DimSupplierVersions(Table, primary_key="supplier_key", partition_column="effective_on"):
    """One row per supplier and version, stored on the day on which the version starts."""

    supplier_key: str = key("The supplier and the start of the version")
    supplier_id: str = column("Supplier number issued by the shop")
    effective_from: Timestamp = column("Start of validity")
    effective_on: Date = column("Business day on which validity starts")
    name: str = column("Name", nullable=True)
    city: str = column("City from which it delivers", nullable=True)
    country: str = column("Country from which it delivers", nullable=True)
    lead_time_days: int = column("Agreed lead time: days from order to receipt", nullable=True, ge=0)
    extra: str = own_columns()
    is_deleted: bool = column("Whether the supplier was deleted; the other columns are as last known")


def transform(silver_suppliers: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    changed = versions(silver_suppliers, days, identity="supplier_id", attributes=ATTRIBUTES)
    return changed.with_columns(
        supplier_key=key_at("supplier_id", "changed_at"), effective_from="changed_at", effective_on="changed_on"
    ).select(*contract(DimSupplierVersions).columns)


asset = table_asset(DimSupplierVersions, transform, reads={"silver_suppliers": history.by("supplier_id")}, view=VIEW)
