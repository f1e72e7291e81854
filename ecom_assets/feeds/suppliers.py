"""Suppliers: a row each time a profile is made or changed."""

from ecom_assets.contract import Table, Timestamp, column, key


class Suppliers(Table, primary_key=("supplier_id", "changed_at"), event_column="changed_at"):
    """One row per supplier and change of profile."""

    supplier_id: str = key("Supplier number issued by the shop")
    changed_at: Timestamp = key("When the profile became so")
    name: str = column("Its name", nullable=True)
    city: str = column("City it delivers from", nullable=True)
    country: str = column("Country it delivers from", nullable=True)
    lead_time_days: int = column("Days from an order until its goods come, as agreed", nullable=True, ge=0)
