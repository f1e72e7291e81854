"""The rows that a history lands, one class per feed, and the files that hold them."""

import csv
import datetime as dt
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

from ecom_assets import catalog
from ecom_assets.contract import STORE

START = dt.date(2024, 2, 27)
"""Two days on a month ends, three days after that a week."""
DAYS = 4
"""Days on which something happens; things arrive up to two days later."""
ARRIVALS = DAYS + 2


def moment(day: int, minutes: int = 0) -> str:
    """A moment without offset, that many minutes after ten o'clock of a day."""
    return (dt.datetime.combine(START, dt.time(10)) + dt.timedelta(days=day, minutes=minutes)).isoformat()


@dataclass(frozen=True)
class Customer:
    feed: ClassVar[str] = "customers"
    customer: int
    on: int
    city: str = "Oslo"
    fault: str = ""

    def record(self) -> dict[str, str]:
        return {"customer_id": f"C{self.customer}", "changed_at": _when(self), "city": self.city}


@dataclass(frozen=True)
class Merge:
    feed: ClassVar[str] = "customer_merges"
    customer: int
    into: int
    on: int
    fault: str = ""

    def record(self) -> dict[str, str]:
        spaced = " " if self.on % 2 else ""  # white space around a name is none of it
        into = self.customer if self.fault == "rule" else self.into
        return {
            "customer_id": f"C{self.customer}",
            "merged_at": _when(self, 5 * self.customer),
            "merged_into": f"{spaced}C{into}",
        }


@dataclass(frozen=True)
class Product:
    feed: ClassVar[str] = "products"
    product: int
    on: int
    price: int = 10
    kind: str = ""
    fault: str = ""

    def record(self) -> dict[str, str]:
        price = -1 if self.fault == "rule" else self.price
        return {"product_id": f"P{self.product}", "changed_at": _when(self), "price": str(price), "kind": self.kind}


@dataclass(frozen=True)
class Order:
    feed: ClassVar[str] = "orders"
    order: int
    on: int
    version: int = 0
    customer: int | None = None
    discount: int = 0
    cancelled_for: str = ""
    tax_included: bool = False
    fault: str = ""
    coupon: str = ""
    currency: str = ""
    rate: str = ""

    def record(self) -> dict[str, str]:
        shipping, tax = ("2", "1") if self.version % 2 else ("1", "2")  # values that change places are a change
        spaced = "\t" if self.version % 2 else ""  # white space around a name is none of it
        nobody = " NULL" if self.version % 2 else ""  # a word for nothing is as good as nothing
        return {
            "order_id": f"O{self.order}",
            "customer_id": f"C{self.customer}{spaced}" if self.customer else nobody,
            "ordered_at": _when(self, 60 * self.order),
            "updated_at": moment(ARRIVALS, self.version),
            "status": "cancelled" if self.cancelled_for else "paid",
            "cancel_reason": self.cancelled_for,
            "channel": "web",
            "subtotal": "20",
            "discount": str(self.discount),
            "coupon": self.coupon,
            "shipping": shipping,
            "tax": tax,
            "currency": self.currency if self.version % 2 else self.currency.lower(),
            "rate": self.rate,
            "total": "99" if self.fault == "rule" else str(23 - self.discount - (int(tax) if self.tax_included else 0)),
        }


@dataclass(frozen=True)
class Item:
    feed: ClassVar[str] = "order_items"
    order: int
    line: str
    on: int
    version: int = 0
    product: int | None = 1
    fault: str = ""
    units: str = "2"

    def record(self) -> dict[str, str]:
        return {
            "order_id": f"O{self.order}",
            "line_number": self.line,
            "product_id": f"P{self.product}" if self.product else "",
            "description": "" if self.product else "Thank you",
            "ordered_at": _when(self, 60 * self.order),
            "updated_at": moment(ARRIVALS, self.version),
            "quantity": "-1" if self.fault == "rule" else self.units,
            "unit_price": "10" if self.product else "-2",
            "discount": "0",
        }


@dataclass(frozen=True)
class Payment:
    feed: ClassVar[str] = "payments"
    payment: int
    on: int
    version: int = 0
    order: int = 1
    method: str = "card"
    status: str = "captured"
    amount: int = 23
    fault: str = ""
    currency: str = ""

    def record(self) -> dict[str, str]:
        return {
            "payment_id": str(self.payment),
            "order_id": f"O{self.order}",
            "paid_at": _when(self, 7),
            "updated_at": moment(ARRIVALS, self.version),
            "method": self.method,
            "status": self.status,
            "currency": self.currency,
            "amount": str(-1 if self.fault == "rule" else self.amount),
            "fee": "-1" if self.status in ("refunded", "charged_back") else "1",
        }


@dataclass(frozen=True)
class Return:
    feed: ClassVar[str] = "returns"
    number: int
    on: int
    version: int = 0
    order: int | None = None
    product: int | None = 1
    customer: int | None = None
    fault: str = ""
    units: str = "1"

    def record(self) -> dict[str, str]:
        return {
            "return_id": f"R{self.number}",
            "order_id": f"O{self.order}" if self.order else "(none)",
            "product_id": f"P{self.product}" if self.product else "",
            "customer_id": f"C{self.customer}" if self.customer else "",
            "returned_at": _when(self, 30),
            "updated_at": moment(ARRIVALS, self.version),
            "channel": "web",
            "quantity": "-1" if self.fault == "rule" else self.units if self.product else "0",
            "amount": "10" if self.product else "3",
            "shipping": "0" if self.product else "5",
            "tax": "1",
        }


@dataclass(frozen=True)
class Event:
    feed: ClassVar[str] = "events"
    event: int
    on: int
    minutes: int = 0
    visitor: int | None = 1
    name: str = "Product Viewed"
    product: int = 1
    customer: int | None = None
    cart: int | None = None
    order: int | None = None
    link: str = ""
    fault: str = ""
    agent: str = ""
    shown_in: str = ""

    def record(self) -> dict[str, str]:
        source, medium, campaign = self.link.split() if self.link else ("", "", "")
        return {
            "event_id": f"E{self.event}",
            "occurred_at": _when(self, self.minutes),
            "event": "Something Else" if self.fault == "rule" else self.name,
            "anonymous_id": f"V{self.visitor}" if self.visitor else "",
            "product_id": f"P{self.product}",
            "customer_id": f"C{self.customer}" if self.customer else "",
            "cart_id": f"K{self.cart}" if self.cart else "",
            "order_id": f"O{self.order}" if self.order else "",
            "list_id": self.shown_in,
            "promotion_id": self.shown_in,
            "user_agent": self.agent,
            "utm_source": source,
            "utm_medium": medium,
            "utm_campaign": campaign,
        }


@dataclass(frozen=True)
class Shipment:
    feed: ClassVar[str] = "shipments"
    number: int
    on: int
    version: int = 0
    order: int = 1
    after: int | None = None
    only_day: bool = False
    fault: str = ""

    def record(self) -> dict[str, str]:
        shipped = "" if self.after is None else moment(self.on + self.after)
        if self.only_day:
            shipped = shipped[:10]
        return {
            "shipment_id": f"S{self.number}",
            "order_id": f"O{self.order}",
            "ordered_at": _when(self, 60 * self.order),
            "updated_at": moment(ARRIVALS, self.version),
            "status": "shipped" if shipped else "open",
            "promised_on": moment(self.on + 1)[:10],
            "shipped_at": shipped,
            "cost": "-1" if self.fault == "rule" else "3",
        }


@dataclass(frozen=True)
class Supplier:
    feed: ClassVar[str] = "suppliers"
    supplier: int
    on: int
    days: int = 7
    fault: str = ""

    def record(self) -> dict[str, str]:
        lead_time = -1 if self.fault == "rule" else self.days
        return {"supplier_id": f"U{self.supplier}", "changed_at": _when(self), "lead_time_days": str(lead_time)}


@dataclass(frozen=True)
class Receipt:
    feed: ClassVar[str] = "purchase_receipts"
    number: int
    on: int
    supplier: int = 1
    product: int = 1
    fault: str = ""
    units: str = "9"

    def record(self) -> dict[str, str]:
        return {
            "receipt_id": f"I{self.number}",
            "supplier_id": f"U{self.supplier}",
            "product_id": f"P{self.product}",
            "ordered_on": moment(self.on - 3)[:10],
            "received_at": _when(self),
            "quantity": "0" if self.fault == "rule" else self.units,
            "unit_cost": "4",
        }


@dataclass(frozen=True)
class Movement:
    feed: ClassVar[str] = "inventory_movements"
    number: int
    on: int
    product: int = 1
    kind: str = "receipt"
    fault: str = ""
    units: str = "5"
    location: str = ""

    def record(self) -> dict[str, str]:
        return {
            "movement_id": f"M{self.number}",
            "product_id": f"P{self.product}",
            "location": self.location,
            "kind": "theft" if self.fault == "rule" else self.kind,
            "quantity": f"-{self.units}" if self.kind == "sale" else self.units,
            "moved_at": _when(self, 40),
        }


@dataclass(frozen=True)
class Review:
    feed: ClassVar[str] = "reviews"
    number: int
    on: int
    product: int | None = 1
    customer: int | None = None
    order: int | None = None
    fault: str = ""

    def record(self) -> dict[str, str]:
        return {
            "review_id": f"W{self.number}",
            "product_id": f"P{self.product}" if self.product else "",
            "customer_id": f"C{self.customer}" if self.customer else "",
            "order_id": f"O{self.order}" if self.order else "",
            "reviewed_at": _when(self),
            "rating": "6" if self.fault == "rule" else "4",
        }


@dataclass(frozen=True)
class Campaign:
    feed: ClassVar[str] = "campaigns"
    campaign: int
    on: int
    name: str = "spring"
    fault: str = ""

    def record(self) -> dict[str, str]:
        return {
            "campaign_id": f"A{self.campaign}",
            "name": self.name,
            "channel": "paid social",
            "starts_on": moment(0)[:10],
            "daily_budget": "-1" if self.fault == "rule" else "10",
            "updated_at": _when(self),
        }


@dataclass(frozen=True)
class Spend:
    feed: ClassVar[str] = "ad_spend"
    campaign: int
    on: int
    version: int = 0
    amount: int = 5
    fault: str = ""
    currency: str = ""

    def record(self) -> dict[str, str]:
        return {
            "spend_on": _when(self)[:10],
            "campaign_id": f"A{self.campaign}",
            "updated_at": moment(ARRIVALS, self.version),
            "impressions": "100",
            "clicks": "7",
            "spend": str(-1 if self.fault == "rule" else self.amount),
            "currency": self.currency,
        }


@dataclass(frozen=True)
class Rate:
    feed: ClassVar[str] = "exchange_rates"
    currency: str
    on: int
    rate: str = "0.5"
    fault: str = ""

    def record(self) -> dict[str, str]:
        rate = "-1" if self.fault == "rule" else self.rate
        return {"currency": self.currency, "rate_on": _when(self)[:10], "rate": rate}


Row = (
    Customer
    | Merge
    | Product
    | Order
    | Item
    | Payment
    | Return
    | Event
    | Shipment
    | Supplier
    | Receipt
    | Movement
    | Review
    | Campaign
    | Spend
    | Rate
)
RETRACTIONS = ("deleted", "gone")
ROWS: dict[str, type] = {row.feed: row for row in get_args(Row)}


def _when(row: Any, minutes: int = 0) -> str:
    """When something happened, as it is sent: a day alone, which can mean any moment of it, for the fault "day"."""
    sent = moment(row.on, minutes)
    return "some day" if row.fault == "moment" else sent.partition("T")[0] if row.fault == "day" else sent


def _record(row: Row) -> dict[str, str]:
    """A row as it is sent. One that retracts its key says so, "deleted" with all columns or "gone" with few."""
    record, feed = row.record(), catalog.tables()[f"bronze.{row.feed}"].feed_contract
    if row.fault == "store" and STORE in feed.columns:
        record[STORE] = "fr "
    if row.fault == "gone":
        needed = (*feed.primary_key, feed.version_column, STORE)
        record = {name: value for name, value in record.items() if name in needed}
    if row.fault == "deleted" and isinstance(row, Item):
        return {**record, "quantity": "0"}
    return {**record, "is_deleted": "yes"} if row.fault in RETRACTIONS else record


def file_of(feed: str, name: str, rows: Sequence[Row]) -> bytes:
    records = [_record(row) for row in rows]
    if name.endswith(".jsonl"):
        return "".join(json.dumps(record) + "\n" for record in records).encode()
    text = io.StringIO()
    header = list(catalog.tables()[f"bronze.{feed}"].contract.columns)
    writer = csv.DictWriter(text, header)
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()
