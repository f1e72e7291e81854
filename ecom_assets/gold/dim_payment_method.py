"""Payment methods, each stored on the day on which it is first seen."""

import narwhals as nw

from ecom_assets.contract import Date, Table, column, key
from ecom_assets.days import history
from ecom_assets.table_asset import table_asset


class DimPaymentMethod(Table, primary_key="method", partition_column="first_seen_on"):
    """One row per means of payment."""

    method: str = key("Means of payment: card, paypal, …")
    first_seen_on: Date = column("Business day of the first payment with it")


def transform(silver_payments: nw.LazyFrame) -> nw.LazyFrame:
    return silver_payments.group_by("method").agg(nw.col("paid_on").min().alias("first_seen_on"))


asset = table_asset(DimPaymentMethod, transform, reads={"silver_payments": history.days_of("method")})
