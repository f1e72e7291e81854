"""Returns: what was refunded, for goods taken back, of orders cancelled after they were paid, or without goods."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, Timestamp, column, contract, key, money, own_columns
from ecom_assets.days import history
from ecom_assets.expressions.versions import with_version
from ecom_assets.table_asset import table_asset


class FactReturns(Table, primary_key="return_id", partition_column="returned_on", amount="amount"):
    """One row per line that was refunded. If the order was cancelled before it was shipped, no goods came back."""

    return_id: str = key("Number of the refunded line")
    returned_on: Date = column("Business day on which it was refunded")
    returned_at: Timestamp = column("When it was refunded")
    order_id: str = column("Original order, if known", nullable=True)
    line_number: int = column("Line of that order", nullable=True, ge=1)
    customer_id: str = column("Customer who returned it; null for guests", nullable=True)
    customer_key: str = column("Version of the customer at that moment, if any", nullable=True)
    product_id: str = column("Product refunded; null if none, as for shipping or goodwill", nullable=True)
    product_key: str = column("Version of the product at that moment, if any", nullable=True)
    is_gift_card: bool = column("Whether it is a gift card when it was refunded, whose refund is no return of a sale")
    store: str = column("Store of the original sale, if there are several", nullable=True)
    channel: str = column("Sales channel of the original sale")
    country: str = column("Country of the return", nullable=True)
    reason: str = column("Reason of the refund", nullable=True)
    quantity: int = column("Units refunded; zero without goods", ge=0)
    amount: Decimal = money("Refunded merchandise value", ge=0)
    shipping: Decimal = money("Refunded shipping", ge=0)
    tax: Decimal = money("Refunded tax", ge=0)
    extra: str = own_columns()


def transform(
    silver_returns: nw.LazyFrame,
    gold_dim_customer_versions: nw.LazyFrame,
    gold_dim_product_versions: nw.LazyFrame,
) -> nw.LazyFrame:
    customers = gold_dim_customer_versions.join(silver_returns, on="customer_id", how="semi")
    products = gold_dim_product_versions.join(silver_returns, on="product_id", how="semi")
    of_products = with_version(
        silver_returns, products, identity="product_id", moment="returned_at", columns=["product_key", "is_gift_card"]
    ).with_columns(nw.col("is_gift_card").fill_null(value=False), nw.col("quantity").fill_null(0))
    of_customers = with_version(
        of_products, customers, identity="customer_id", moment="returned_at", columns=["customer_key"]
    )
    return of_customers.select(*contract(FactReturns).columns)


def conserved(silver_returns: nw.LazyFrame) -> nw.LazyFrame:
    return silver_returns.select("returned_on", "quantity", "amount", "shipping", "tax")


asset = table_asset(
    FactReturns,
    transform,
    reads={"gold_dim_customer_versions": history, "gold_dim_product_versions": history},
    conserved=conserved,
)
