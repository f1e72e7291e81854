"""Products: a row each time a catalogue entry or a price is made or changed."""

from ecom_assets.contract import Decimal, Table, Timestamp, column, key, money


class Products(Table, primary_key=("product_id", "changed_at"), event_column="changed_at"):
    """One row per product and change of its catalogue entry."""

    product_id: str = key("Stock code; codes are case-sensitive")
    changed_at: Timestamp = key("When the entry became so")
    name: str = column("What the shop calls it", nullable=True)
    category: str = column("Where it stands in the catalogue", nullable=True)
    brand: str = column("Who makes it", nullable=True)
    price: Decimal = money("List price of one unit", ge=0)
    cost: Decimal = money("What one unit costs the shop", nullable=True, ge=0)
    is_active: bool = column("Whether it is for sale", nullable=True)
