"""Suppliers: a row each time a profile is made or changed."""

from ecom_assets.contract import Feed, Timestamp, column, key


class Suppliers(Feed, primary_key=("supplier_id", "changed_at"), event_column="changed_at"):
    """One row per supplier and change of profile."""

    supplier_id: str = key("Supplier number issued by the shop")
    changed_at: Timestamp = key("Moment at which this version took effect")
    name: str = column("Name", nullable=True)
    city: str = column("City from which it delivers", nullable=True)
    country: str = column("Country from which it delivers", nullable=True)
    lead_time_days: int = column("Agreed lead time: days from order to receipt", nullable=True, ge=0)
