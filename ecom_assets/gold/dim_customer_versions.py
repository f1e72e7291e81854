"""Customers through time: a version each time something about a customer changes."""

import narwhals as nw

from ecom_assets.contract import Date, Table, Timestamp, column, contract, key, own_columns
from ecom_assets.days import history
from ecom_assets.expressions.keys import key_at
from ecom_assets.expressions.survivors import survivors_of
from ecom_assets.expressions.versions import versions, view_of
from ecom_assets.table_asset import table_asset

ATTRIBUTES = [
    "registered_at",
    "name",
    "email",
    "city",
    "region",
    "country",
    "is_business",
    "marketing_consent",
    "extra",
]
MENTIONS = ["gold.fact_sales", "gold.fact_returns", "gold.fact_reviews"]
VIEW = (
    "gold.dim_customer",
    f"""
SELECT versions.*, survivors.survivor AS merged_into
FROM ({view_of("gold.dim_customer_versions", "customer_id", MENTIONS)}) versions
LEFT JOIN ({survivors_of("gold.fact_customer_merges")}) survivors ON survivors.number = versions.customer_id
""",
)


class DimCustomerVersions(Table, primary_key="customer_key", partition_column="effective_on"):
    """One row per customer and version, stored on the day on which the version starts.

    A number that was merged keeps its versions; `merged_into` in the view `gold.dim_customer` is the number under which
    its customer goes on, null for all others. Count customers where it is null.
    """

    customer_key: str = key("The customer and the start of the version", personal=True)
    customer_id: str = column("Customer number issued by the shop", personal=True)
    effective_from: Timestamp = column("Start of validity")
    effective_on: Date = column("Business day on which validity starts")
    registered_at: Timestamp = column("When the customer registered", nullable=True)
    name: str = column("Full name", nullable=True, personal=True)
    email: str = column("E-mail address", nullable=True, personal=True)
    city: str = column("City of residence", nullable=True, personal=True)
    region: str = column("Region, state or province of residence", nullable=True)
    country: str = column("Country of residence", nullable=True)
    is_business: bool = column("Whether it is a business (B2B)", nullable=True)
    marketing_consent: bool = column("Whether the customer accepts marketing mail", nullable=True)
    extra: str = own_columns()
    is_deleted: bool = column("Whether the customer was deleted; the other columns are as last known")


def transform(silver_customers: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    changed = versions(silver_customers, days, identity="customer_id", attributes=ATTRIBUTES)
    return changed.with_columns(
        customer_key=key_at("customer_id", "changed_at"), effective_from="changed_at", effective_on="changed_on"
    ).select(*contract(DimCustomerVersions).columns)


asset = table_asset(DimCustomerVersions, transform, reads={"silver_customers": history.by("customer_id")}, view=VIEW)
