"""Sales: the order lines with prices, discounts and charges."""

import narwhals as nw

from ecom_assets.contract import (
    Date,
    Decimal,
    Rate,
    Table,
    Timestamp,
    column,
    contract,
    expectation,
    in_units,
    key,
    money,
    own_columns,
    rule,
)
from ecom_assets.days import ever, history
from ecom_assets.expressions import measures
from ecom_assets.expressions.gift_cards import is_called_gift_card
from ecom_assets.expressions.money import MONEY, QUANTITY, extended, no_amount
from ecom_assets.expressions.order_discounts import LINE, order_discounts
from ecom_assets.expressions.versions import with_version
from ecom_assets.table_asset import table_asset

TRANSACTION_ITEMS = (
    "gold.transaction_items",
    """
SELECT
    order_id AS transaction_id, line_number, product_id, quantity, unit_price, discounts AS discount,
    net_amount AS total, is_valid
FROM gold.fact_sales
""",
)


class FactSales(Table, primary_key=("order_id", "line_number"), partition_column="ordered_on", amount="net_amount"):
    """One row per order line.

    A gift card is a liability until it is redeemed, and its line is no sale: its amount counts as gift cards sold. The
    shipping and the tax of an order are on its first line that is not a gift card, if there is one. If its prices
    include the tax, all other amounts are without it, but for the unit price.
    """

    order_id: str = key("Order number issued by the shop; after its store and a colon, if a store is given")
    line_number: int = key("Line number within the order", ge=1)
    ordered_on: Date = column("Business day on which the order was placed")
    ordered_at: Timestamp = column("When the order was placed")
    customer_id: str = column("Customer who placed it; null for guests", nullable=True, personal=True)
    customer_key: str = column("Version of the customer at that moment, if any", nullable=True, personal=True)
    product_id: str = column("Product sold; null for a line outside the catalogue", nullable=True)
    product_key: str = column("Version of the product when the line was ordered, or its first, if any", nullable=True)
    has_later_product: bool = column("Whether that version, the first that is known, starts after the line was ordered")
    description: str = column("Product description on the line, if any", nullable=True)
    store: str = column("Store in which it was sold, if there are several", nullable=True)
    channel: str = column("Sales channel: web, app, marketplace, …")
    country: str = column("Destination country", nullable=True)
    region: str = column("Destination region, state or province", nullable=True)
    city: str = column("Destination city", nullable=True, personal=True)
    is_business: bool = column("Whether a business bought (B2B)", nullable=True)
    seller: str = column("Who sells it, on a marketplace of several sellers", nullable=True)
    status: str = column("Status of the order")
    shop_status: str = column("Status of the order in the shop's own words", nullable=True)
    coupon: str = column("Code of the order's coupon, if its discounts come from one", nullable=True)
    is_valid: bool = column(
        "Whether it counts as a sale: it is no gift card, and its order not cancelled as void, test or unpaid"
    )
    is_gift_card: bool = column(
        "Whether it is a gift card: its product when the line was ordered, or without one its description"
    )
    voided_on: Date = column(
        "Business day since which it is known not to be a sale: that of the order's last change; null if it is one",
        nullable=True,
    )
    is_first_line: bool = column(
        "Whether it is the first line of the order that is not a gift card, or the first of all; sum it to count orders"
    )
    quantity: Decimal = in_units("Units sold; zero for a discount written as a line", ge=0)
    unit_price: Decimal = money("Price of one unit before discount; zero for a discount written as a line", ge=0)
    included_tax: Decimal = money("Tax that the quantity times unit price includes, if any", ge=0)
    gross_sales: Decimal = money("Quantity times unit price, without included tax", ge=0)
    line_discount: Decimal = money("Discount on the line, or written as the line", ge=0)
    order_discount: Decimal = money(
        "Share of the order's discount, in proportion to the lines' amounts after line discounts, if above zero", ge=0
    )
    discounts: Decimal = money("Line discount plus share of the order's discount", ge=0)
    net_amount: Decimal = money("Gross sales less discounts")
    cost: Decimal = money(
        "Cost of the units to the shop, if the version of the product has one; null if ten billion or more",
        nullable=True,
        ge=0,
    )
    shipping: Decimal = money("The order's shipping fee, on that first line", ge=0)
    tax: Decimal = money("The order's tax, on that first line", ge=0)
    line_shipping: Decimal = money(
        "Shipping fee of the line, if the shop gives one; part of the order's", nullable=True
    )
    line_tax: Decimal = money("Tax on the line, if the shop gives one; part of the order's", nullable=True)
    currency: str = column("Currency in which it was sold, if not the shop's", nullable=True)
    exchange_rate: Rate = column("Units of the shop's currency per unit of that currency", nullable=True, gt=0)
    extra: str = own_columns("line")
    order_extra: str = own_columns("order")

    @rule
    def gross_sales_of_units(cls) -> nw.Expr:
        """Quantity times unit price, without the tax that they include, make the gross sales."""
        return nw.col("gross_sales") + nw.col("included_tax") == extended("quantity", "unit_price")

    @rule
    def discounts_add_up(cls) -> nw.Expr:
        """The line discount and the share of the order's discount make the discounts."""
        return nw.col("discounts") == nw.col("line_discount") + nw.col("order_discount")

    @expectation
    def product_has_a_version(cls) -> nw.Expr:
        """The catalogue has a version of the product from when the line was ordered, or before."""
        has_one = ~nw.col("product_key").is_null() & ~nw.col("has_later_product")
        return nw.col("product_id").is_null() | has_one

    @rule
    def net_amount_adds_up(cls) -> nw.Expr:
        """Gross sales less discounts make the net amount."""
        return nw.col("net_amount") == nw.col("gross_sales") - nw.col("discounts")


def transform(
    silver_order_items: nw.LazyFrame,
    silver_orders: nw.LazyFrame,
    gold_fact_unpaid_cancellations: nw.LazyFrame,
    gold_fact_included_taxes: nw.LazyFrame,
    gold_dim_customer_versions: nw.LazyFrame,
    gold_dim_product_versions: nw.LazyFrame,
) -> nw.LazyFrame:
    c = nw.col
    orders = silver_orders.select(
        "order_id",
        "ordered_at",
        "customer_id",
        "store",
        "channel",
        "country",
        "region",
        "city",
        "is_business",
        "status",
        "shop_status",
        "coupon",
        "shipping",
        "tax",
        "updated_on",
        "currency",
        exchange_rate="rate",
        order_extra="extra",
        is_sale=measures.is_valid_sale(),
    )
    unpaid = gold_fact_unpaid_cancellations.select("order_id", is_unpaid=nw.lit(True))
    orders = orders.join(unpaid, on="order_id", how="left").with_columns(
        is_sale=c("is_sale") & c("is_unpaid").is_null()
    )
    of_shipping = gold_fact_included_taxes.filter(c("line_number") == 0).select("order_id", shipping_tax="gross_tax")
    orders = orders.join(of_shipping, on="order_id", how="left").with_columns(
        shipping=(c("shipping") - nw.coalesce(c("shipping_tax"), no_amount())).cast(MONEY)
    )
    orders = orders.with_columns(voided_on=nw.when(~c("is_sale")).then(c("updated_on")))
    is_discount = c("unit_price") < 0
    lines = silver_order_items.select(
        *LINE,
        "product_id",
        "description",
        "ordered_on",
        "seller",
        "extra",
        quantity=nw.when(is_discount).then(no_amount()).otherwise(c("quantity")).cast(QUANTITY),
        unit_price=nw.when(is_discount).then(no_amount()).otherwise(c("unit_price")).cast(MONEY),
        gross_sales=measures.gross_of_line(),
        line_discount=measures.discount_of_line(),
        line_shipping="shipping",
        line_tax="tax",
        line_ordered_at="ordered_at",
    ).join(orders, on="order_id")
    of_lines = gold_fact_included_taxes.select(*LINE, "gross_tax", "line_discount_tax", "order_discount_tax")
    less = {"gross_sales": "gross_tax", "line_discount": "line_discount_tax", "order_discount": "order_discount_tax"}
    sales = (
        lines.join(order_discounts(silver_order_items, silver_orders), on=LINE, how="left")
        .with_columns(order_discount=nw.coalesce(c("order_discount"), no_amount()))
        .join(of_lines, on=LINE, how="left")
        .with_columns(nw.coalesce(c(tax), no_amount()).alias(tax) for tax in less.values())
        .with_columns((c(amount) - c(tax)).cast(MONEY).alias(amount) for amount, tax in less.items())
        .with_columns(discounts=(c("line_discount") + c("order_discount")).cast(MONEY))
        .with_columns(net_amount=(c("gross_sales") - c("discounts")).cast(MONEY))
    )
    products = gold_dim_product_versions.select(
        "product_id", "product_key", "effective_from", "is_gift_card", unit_cost="cost"
    )
    of_products = with_version(
        sales,
        products,
        identity="product_id",
        moment="line_ordered_at",
        columns=["product_key", "unit_cost", "is_gift_card"],
        later="has_later_product",
    )
    is_called_one = c("product_id").is_null() & is_called_gift_card("description")
    of_products = of_products.with_columns(is_gift_card=c("is_gift_card").fill_null(value=False) | is_called_one)
    of_customers = with_version(
        of_products, gold_dim_customer_versions, identity="customer_id", moment="ordered_at", columns=["customer_key"]
    )
    first_lines = of_products.group_by("order_id").agg(
        first_line=c("line_number").min(), first_of_goods=nw.when(~c("is_gift_card")).then(c("line_number")).min()
    )
    is_first_line = c("line_number") == nw.coalesce(c("first_of_goods"), c("first_line"))
    return (
        of_customers.join(first_lines, on="order_id")
        .with_columns(
            cost=extended("quantity", "unit_cost"),
            included_tax="gross_tax",
            is_valid=c("is_sale") & ~c("is_gift_card"),
            is_first_line=is_first_line,
            shipping=nw.when(is_first_line).then(c("shipping")).otherwise(no_amount()),
            tax=nw.when(is_first_line).then(c("tax")).otherwise(no_amount()),
        )
        .select(*contract(FactSales).columns)
    )


def conserved(
    silver_order_items: nw.LazyFrame, silver_orders: nw.LazyFrame, gold_fact_included_taxes: nw.LazyFrame
) -> nw.LazyFrame:
    c = nw.col
    lines = silver_order_items.select(
        "ordered_on", gross_sales=measures.gross_of_line(), discounts=measures.discount_of_line()
    )
    orders = silver_orders.join(silver_order_items, on="order_id", how="semi").select(
        "ordered_on", "shipping", "tax", discounts="discount"
    )
    of_shipping = c("line_number") == 0
    line_taxes = gold_fact_included_taxes.filter(~of_shipping).join(silver_order_items, on=LINE, how="semi")
    shipping_taxes = gold_fact_included_taxes.filter(of_shipping).join(silver_order_items, on="order_id", how="semi")
    taxes = [
        line_taxes.select(
            "ordered_on", gross_sales=-c("gross_tax"), discounts=-(c("line_discount_tax") + c("order_discount_tax"))
        ),
        shipping_taxes.select("ordered_on", shipping=-c("gross_tax")),
    ]
    return nw.concat([lines, orders, *taxes], how="diagonal")


asset = table_asset(
    FactSales,
    transform,
    reads={
        "gold_dim_customer_versions": history.by("customer_id"),
        "gold_dim_product_versions": ever.by("product_id"),
    },
    view=TRANSACTION_ITEMS,
    conserved=conserved,
)
