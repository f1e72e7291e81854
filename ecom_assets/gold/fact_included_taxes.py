"""The tax that prices include, line by line: what sales and shipping are published without."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.expressions.included_tax import includes_tax
from ecom_assets.expressions.measures import discount_of_line, gross_of_line
from ecom_assets.expressions.money import MONEY, in_proportion, no_amount, share_by_largest_remainder
from ecom_assets.expressions.order_discounts import LINE, order_discounts
from ecom_assets.table_asset import table_asset

ONE_UNIT = 1
"""Tax is shared to the last decimal, not to the cent."""


class FactIncludedTaxes(Table, primary_key=("order_id", "line_number"), partition_column="ordered_on", amount="tax"):
    """One row per order whose prices include its tax, and one per line of it.

    The tax is shared over the lines after discounts and the shipping fee in proportion, exact to the last decimal, and
    within a line over its gross sales and its discounts. Where it is more than these, they cannot include it, and it is
    not shared.
    """

    order_id: str = key("Order number issued by the shop")
    line_number: int = key("Line number within the order; zero for its shipping fee", ge=0)
    ordered_on: Date = column("Business day on which the order was placed")
    tax: Decimal = money("Share of the order's tax", ge=0)
    gross_tax: Decimal = money("Tax that the line's quantity times unit price includes, or the shipping fee", ge=0)
    line_discount_tax: Decimal = money("Tax that the discount on the line includes", ge=0)
    order_discount_tax: Decimal = money("Tax that the line's share of the order's discount includes", ge=0)

    @rule
    def tax_adds_up(cls) -> nw.Expr:
        """The tax is that of the gross sales less that of the discounts."""
        return nw.col("tax") == nw.col("gross_tax") - nw.col("line_discount_tax") - nw.col("order_discount_tax")


def transform(silver_order_items: nw.LazyFrame, silver_orders: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    taxed = silver_orders.filter(includes_tax()).select("order_id", "ordered_on", "shipping", tax_of_order="tax")
    of_taxed = silver_orders.filter(includes_tax(), c("discount") > 0)
    net = c("gross") - c("line_discount") - c("order_discount")
    lines = (
        silver_order_items.select(*LINE, gross=gross_of_line(), line_discount=discount_of_line())
        .join(taxed.drop("shipping"), on="order_id")
        .join(order_discounts(silver_order_items, of_taxed), on=LINE, how="left")
        .with_columns(order_discount=nw.coalesce(c("order_discount"), no_amount()))
        .with_columns(net=nw.when(net > 0).then(net).otherwise(no_amount()).cast(MONEY))
    )
    shipping = taxed.select(
        "order_id", "ordered_on", "tax_of_order", line_number=nw.lit(0, nw.Int64), gross="shipping", net="shipping"
    )
    parts = nw.concat([lines, shipping], how="diagonal").with_columns(
        discounts=(c("line_discount") + c("order_discount")).cast(MONEY)
    )
    fits = c("tax_of_order") <= c("net").sum().over("order_id")
    charged = parts.with_columns(shared_tax=nw.when(fits).then(c("tax_of_order")).otherwise(no_amount()).cast(MONEY))
    shared = share_by_largest_remainder(
        charged, "shared_tax", by="net", within="order_id", order_by="line_number", name="tax", step=ONE_UNIT
    )
    with_gross = shared.with_columns(gross_tax=nw.coalesce(in_proportion("tax", "gross", "net"), no_amount()))
    with_discounts = with_gross.with_columns(discount_tax=(c("gross_tax") - c("tax")).cast(MONEY)).with_columns(
        order_discount_tax=nw.coalesce(in_proportion("discount_tax", "order_discount", "discounts"), no_amount())
    )
    return with_discounts.with_columns(
        line_discount_tax=(c("discount_tax") - c("order_discount_tax")).cast(MONEY)
    ).select(*contract(FactIncludedTaxes).columns)


asset = table_asset(FactIncludedTaxes, transform)
