"""Customers: a row each time a profile is made or changed."""

from ecom_assets.contract import Feed, Timestamp, column, key


class Customers(Feed, primary_key=("customer_id", "changed_at"), event_column="changed_at"):
    """One row per customer and change of profile."""

    customer_id: str = key("Customer number issued by the shop", personal=True)
    changed_at: Timestamp = key("Moment at which this version took effect")
    registered_at: Timestamp = column("When the customer registered", nullable=True)
    name: str = column("Full name", nullable=True, personal=True)
    email: str = column("E-mail address", nullable=True, personal=True)
    city: str = column("City of residence", nullable=True, personal=True)
    region: str = column("Region, state or province of residence", nullable=True)
    country: str = column("Country of residence", nullable=True)
    is_business: bool = column("Whether it is a business (B2B)", nullable=True)
    marketing_consent: bool = column("Whether the customer accepts marketing mail", nullable=True)
