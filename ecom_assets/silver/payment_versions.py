"""Versions of payments: what was known of one, by the day on which it became known."""

import narwhals as nw

from ecom_assets.contract import Date, Table, Timestamp, column, contract, key
from ecom_assets.days import by_arrival_day
from ecom_assets.silver._versions import last_of_day
from ecom_assets.table_asset import table_asset


class PaymentVersions(Table, primary_key=("arrived_on", "payment_id"), partition_column="arrived_on"):
    """One row per arrival day and payment of which a valid version arrived, whether or not its order is known.

    A version that deletes its payment may leave out all but its number and when it changed.
    """

    arrived_on: Date = key("Day on which the version arrived")
    payment_id: str = key("Payment number issued by the provider")
    order_id: str = column("Order that it pays", nullable=True)
    paid_at: Timestamp = column("Moment of the attempt, the capture, the refund or the charge-back", nullable=True)
    updated_at: Timestamp = column("When it had last changed")
    method: str = column("Means of payment", nullable=True)
    status: str = column("Outcome", nullable=True)
    is_retracted: bool = column("Whether the payment was deleted")


def transform(bronze_payments: nw.LazyFrame) -> nw.LazyFrame:
    versions = last_of_day(bronze_payments, key=["payment_id"], order=["updated_at"])
    return versions.with_columns(is_retracted="is_retraction").select(*contract(PaymentVersions).columns)


asset = table_asset(PaymentVersions, transform, reads={"bronze_payments": by_arrival_day})
