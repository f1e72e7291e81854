"""Payments by day and method: attempted, failed, captured, refunded and charged back."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.expressions.money import no_amount, ratio, total, total_count
from ecom_assets.table_asset import table_asset

STATUSES = ["captured", "failed", "refunded", "charged_back"]


class DailyPayments(Table, primary_key=("day", "method"), partition_column="day", amount="captured_amount"):
    """One row per day and means of payment with a payment, a refund or a charge-back.

    An authorisation with a number of its own is open as far as it is neither captured nor voided by the end of its day:
    a day knows nothing of later ones. Its capture is no further attempt. A payment with a gift card or store credit is
    redeemed, not captured or refunded.
    """

    day: Date = key("Business day")
    method: str = key("Means of payment")
    attempts: int = column(
        "Attempts to pay: payments except refunds, charge-backs, and captures and voids of authorisations", ge=0
    )
    authorised_count: int = column("Authorisations of the day with an amount that is open at its end", ge=0)
    captured_count: int = column("Payments captured", ge=0)
    failed_count: int = column("Payments that failed", ge=0)
    refunded_count: int = column("Refunds", ge=0)
    charged_back_count: int = column("Charge-backs", ge=0)
    authorised_amount: Decimal = money(
        "Amount authorised on the day that is neither captured nor voided at its end", ge=0
    )
    captured_amount: Decimal = money("Amount captured", ge=0)
    failed_amount: Decimal = money("Amount of failed payments", ge=0)
    refunded_amount: Decimal = money("Amount refunded", ge=0)
    charged_back_amount: Decimal = money("Amount that banks took back from the shop", ge=0)
    gift_cards_redeemed: Decimal = money("Amount paid with gift cards or store credit, less refunded to these")
    fees: Decimal = money("Fees of the payment providers, less those given back")
    payment_failure_rate: float = column(
        "Failed payments per attempt; null without attempts", nullable=True, ge=0, le=1
    )

    @rule
    def attempts_fail_or_open(cls) -> nw.Expr:
        """Failed payments and open authorisations are attempts."""
        return nw.col("attempts") >= nw.col("authorised_count") + nw.col("failed_count")


def transform(gold_fact_payments: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    moved = {status: (c("status") == status) & (~c("is_gift_card") | (c("received") == 0)) for status in STATUSES}
    counts = {f"{status}_count": is_of_status.cast(nw.Int64) for status, is_of_status in moved.items()}
    amounts = {
        f"{status}_amount": nw.when(is_of_status).then(c("amount")).otherwise(no_amount())
        for status, is_of_status in moved.items()
    }
    return (
        gold_fact_payments.select(
            "method",
            day="paid_on",
            attempts=c("is_attempt").cast(nw.Int64),
            authorised_count=(c("open_amount") > 0).cast(nw.Int64),
            authorised_amount="open_amount",
            gift_cards_redeemed=nw.when(c("is_gift_card")).then(c("received")).otherwise(no_amount()),
            fees="fee",
            **counts,
            **amounts,
        )
        .group_by("day", "method")
        .agg(
            *map(total_count, ["attempts", "authorised_count", *counts]),
            *map(total, ["authorised_amount", *amounts, "gift_cards_redeemed", "fees"]),
        )
        .with_columns(payment_failure_rate=ratio("failed_count", "attempts"))
        .select(*contract(DailyPayments).columns)
    )


def conserved(gold_fact_payments: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    moved = gold_fact_payments.filter(~c("is_gift_card"))
    captured = moved.filter(c("received") > 0).select(day="paid_on", captured_amount="received")
    given_back = moved.filter(c("received") < 0)
    is_refund = c("status") == "refunded"
    refunded = given_back.filter(is_refund).select(day="paid_on", refunded_amount=-c("received"))
    charged_back = given_back.filter(~is_refund).select(day="paid_on", charged_back_amount=-c("received"))
    others = gold_fact_payments.select(day="paid_on", authorised_amount="open_amount", fees="fee")
    redeemed = gold_fact_payments.filter(c("is_gift_card")).select(day="paid_on", gift_cards_redeemed="received")
    return nw.concat([captured, refunded, charged_back, redeemed, others], how="diagonal")


asset = table_asset(DailyPayments, transform, conserved=conserved)
