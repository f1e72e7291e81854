"""Payments by day and method: attempted, failed and captured."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.expressions.money import no_amount, ratio, total, total_count
from ecom_assets.table_asset import table_asset

STATUSES = ["authorised", "captured", "failed", "refunded"]


class DailyPayments(Table, primary_key=("day", "method"), partition_column="day", amount="captured_amount"):
    """One row per day and means of payment with a payment or a refund."""

    day: Date = key("Business day")
    method: str = key("Means of payment")
    attempts: int = column("Payments attempted: all except refunds", ge=0)
    authorised_count: int = column("Payments authorised but not captured yet", ge=0)
    captured_count: int = column("Payments captured", ge=0)
    failed_count: int = column("Payments that failed", ge=0)
    refunded_count: int = column("Refunds", ge=0)
    authorised_amount: Decimal = money("Amount authorised but not captured yet", ge=0)
    captured_amount: Decimal = money("Amount captured", ge=0)
    failed_amount: Decimal = money("Amount of failed payments", ge=0)
    refunded_amount: Decimal = money("Amount refunded", ge=0)
    fees: Decimal = money("Fees of the payment providers, less those given back")
    payment_failure_rate: float = column(
        "Failed payments per attempt; null without attempts", nullable=True, ge=0, le=1
    )

    @rule
    def attempts_add_up(cls) -> nw.Expr:
        """Each attempt is either authorised, captured or failed."""
        return nw.col("attempts") == nw.col("authorised_count") + nw.col("captured_count") + nw.col("failed_count")


def transform(gold_fact_payments: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    counts = {f"{status}_count": (c("status") == status).cast(nw.Int64) for status in STATUSES}
    amounts = {
        f"{status}_amount": nw.when(c("status") == status).then(c("amount")).otherwise(no_amount())
        for status in STATUSES
    }
    return (
        gold_fact_payments.select(
            "method",
            day="paid_on",
            attempts=(c("status") != "refunded").cast(nw.Int64),
            fees="fee",
            **counts,
            **amounts,
        )
        .group_by("day", "method")
        .agg(*map(total_count, ["attempts", *counts]), *map(total, [*amounts, "fees"]))
        .with_columns(payment_failure_rate=ratio("failed_count", "attempts"))
        .select(*contract(DailyPayments).columns)
    )


def conserved(gold_fact_payments: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    captured = gold_fact_payments.filter(c("received") > 0).select(day="paid_on", captured_amount="received")
    refunded = gold_fact_payments.filter(c("received") < 0).select(day="paid_on", refunded_amount=-c("received"))
    return nw.concat([captured, refunded, gold_fact_payments.select(day="paid_on", fees="fee")], how="diagonal")


asset = table_asset(DailyPayments, transform, conserved=conserved)
