"""Returns: what was refunded, for goods taken back, of orders cancelled after they were paid, or without goods."""

import narwhals as nw

from ecom_assets.contract import (
    Date,
    Decimal,
    Table,
    Timestamp,
    column,
    contract,
    in_units,
    key,
    money,
    own_columns,
    rule,
)
from ecom_assets.days import ever, history, revised
from ecom_assets.expressions.included_tax import refunded_without_tax
from ecom_assets.expressions.money import no_amount
from ecom_assets.expressions.versions import with_version
from ecom_assets.table_asset import table_asset


class FactReturns(Table, primary_key="return_id", partition_column="returned_on", amount="amount"):
    """One row per line that was refunded. If the order was cancelled before it was shipped, no goods came back."""

    return_id: str = key("Number of the refunded line")
    returned_on: Date = column("Business day on which it was refunded")
    returned_at: Timestamp = column("When it was refunded")
    order_id: str = column("Original order, if known", nullable=True)
    line_number: int = column("Line of that order", nullable=True, ge=1)
    customer_id: str = column("Customer who returned it; null for guests", nullable=True, personal=True)
    customer_key: str = column("Version of the customer at that moment, if any", nullable=True, personal=True)
    product_id: str = column("Product refunded; null if none, as for shipping or goodwill", nullable=True)
    product_key: str = column("Version of the product at that moment, or its first, if any", nullable=True)
    is_gift_card: bool = column("Whether it is a gift card when it was refunded, whose refund is no return of a sale")
    store: str = column("Store of the original sale, if there are several", nullable=True)
    channel: str = column("Sales channel of the original sale")
    country: str = column("Country of the return", nullable=True)
    reason: str = column("Reason of the refund", nullable=True, personal=True)
    quantity: Decimal = in_units("Units refunded; zero without goods", ge=0)
    amount: Decimal = money("Refunded merchandise value, without included tax", ge=0)
    shipping: Decimal = money("Refunded shipping, without included tax", ge=0)
    tax: Decimal = money("Refunded tax", ge=0)
    amount_sent: Decimal = money("Refunded merchandise value as sent, with included tax", ge=0)
    shipping_sent: Decimal = money("Refunded shipping as sent, with included tax", ge=0)
    currency: str = column("Currency in which it was refunded, if not the shop's", nullable=True)
    foreign_amount: Decimal = money(
        "Refunded merchandise value as sent, with included tax, in that currency", nullable=True, ge=0
    )
    extra: str = own_columns()

    @rule
    def all_tax_or_none_is_included(cls) -> nw.Expr:
        """What is sent includes all of the tax, or nothing of it."""
        included = nw.col("amount_sent") + nw.col("shipping_sent") - nw.col("amount") - nw.col("shipping")
        return (included == 0) | (included == nw.col("tax"))


def transform(
    silver_returns: nw.LazyFrame,
    gold_fact_included_taxes: nw.LazyFrame,
    gold_dim_customer_versions: nw.LazyFrame,
    gold_dim_product_versions: nw.LazyFrame,
) -> nw.LazyFrame:
    c = nw.col
    taxed = gold_fact_included_taxes.filter(c("line_number") == 0).select("order_id", taxed_on="ordered_on")
    of_orders = silver_returns.join(taxed, on="order_id", how="left")
    # The day of a return knows no order of a later day, which a window with both has.
    is_of_taxed = c("taxed_on") <= c("returned_on")
    without_tax = refunded_without_tax(
        of_orders.with_columns(is_taxed=nw.coalesce(c("tax_included"), is_of_taxed).fill_null(value=False))
    )
    of_products = with_version(
        without_tax,
        gold_dim_product_versions,
        identity="product_id",
        moment="returned_at",
        columns=["product_key", "is_gift_card"],
        later="has_later_product",
    ).with_columns(nw.col("is_gift_card").fill_null(value=False), nw.coalesce(nw.col("quantity"), no_amount()))
    of_customers = with_version(
        of_products, gold_dim_customer_versions, identity="customer_id", moment="returned_at", columns=["customer_key"]
    )
    return of_customers.select(*contract(FactReturns).columns)


def conserved(silver_returns: nw.LazyFrame) -> nw.LazyFrame:
    return silver_returns.select("returned_on", "quantity", "tax", amount_sent="amount", shipping_sent="shipping")


asset = table_asset(
    FactReturns,
    transform,
    reads={
        "gold_fact_included_taxes": revised(None, 0).by("order_id"),
        "gold_dim_customer_versions": history.by("customer_id"),
        "gold_dim_product_versions": ever.by("product_id"),
    },
    conserved=conserved,
)
