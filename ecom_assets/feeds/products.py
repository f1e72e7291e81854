"""Products: a row each time a catalogue entry or a price is made or changed."""

import narwhals as nw

from ecom_assets.contract import Decimal, Feed, Timestamp, column, currency, key, money, rule

PRODUCT_KINDS = ["goods", "service", "gift_card"]


class Products(Feed, primary_key=("product_id", "changed_at"), event_column="changed_at"):
    """One row per product and change of its catalogue entry."""

    product_id: str = key("Stock code; codes are case-sensitive")
    changed_at: Timestamp = key("Moment at which this version took effect")
    name: str = column("Name in the shop", nullable=True)
    category: str = column("Category in the catalogue", nullable=True)
    category_path: str = column("Category below its parents, such as Shoes > Running > Trail", nullable=True)
    brand: str = column("Brand", nullable=True)
    parent_id: str = column("Product of which it is a variant", nullable=True, words_for_nothing=True)
    variant: str = column("What distinguishes it from other variants, such as a colour", nullable=True)
    size: str = column("Size", nullable=True)
    price: Decimal = money("List price of one unit; null if deleted", nullable=True, ge=0)
    cost: Decimal = money("Cost of one unit to the shop", nullable=True, ge=0)
    currency: str = currency()
    kind: str = column(
        "What it is; if not given, a gift card if the category or the name says gift card, voucher or certificate and "
        "nothing else but an amount, otherwise goods",
        nullable=True,
        isin=PRODUCT_KINDS,
    )
    is_active: bool = column("Whether it is for sale", nullable=True)

    @rule
    def price_given(cls) -> nw.Expr:
        """A product has a price, unless it is deleted."""
        return ~nw.col("price").is_null() | nw.col("is_deleted")
