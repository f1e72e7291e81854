"""Random histories of a small shop: what lands, what runs, what crashes, and the law they all have to keep.

A history is a list of steps and prints as the expression that makes it. `replay` carries it out, and `broken_law`
says what differs in the end from one clean run over the same landing zone.
"""

import csv
import dataclasses
import datetime as dt
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, get_args

import duckdb
from hypothesis import strategies as st

from ecom_assets import catalog
from ecom_assets.days import Window
from ecom_assets.declaration import Catalog, Declaration
from ecom_assets.landing.zone import FeedSettings, Zone
from ecom_assets.sql import quoted
from ecom_assets.warehouse import repair
from ecom_assets.warehouse.ledger.records import good_days
from ecom_assets.warehouse.proof import contents, rebuild, settle
from ecom_assets.warehouse.session import Session

START = dt.date(2024, 2, 27)
"""Two days on a month ends, three days after that a week."""
DAYS = 4
"""Days on which something happens; things arrive up to two days later."""
ARRIVALS = DAYS + 2
TOLERATED = 0.5
"""Silver days fail when more of their rows are bad: with a handful of rows, some days do and some do not."""


def moment(day: int, minutes: int = 0) -> str:
    """A moment without offset, that many minutes after ten o'clock of a day."""
    return (dt.datetime.combine(START, dt.time(10)) + dt.timedelta(days=day, minutes=minutes)).isoformat()


# -- rows -------------------------------------------------------------------------------------------


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
class Product:
    feed: ClassVar[str] = "products"
    product: int
    on: int
    price: int = 10
    fault: str = ""

    def record(self) -> dict[str, str]:
        price = -1 if self.fault == "rule" else self.price
        return {"product_id": f"P{self.product}", "changed_at": _when(self), "price": str(price)}


@dataclass(frozen=True)
class Order:
    feed: ClassVar[str] = "orders"
    order: int
    on: int
    version: int = 0
    customer: int | None = None
    discount: int = 0
    cancelled_for: str = ""
    fault: str = ""

    def record(self) -> dict[str, str]:
        shipping, tax = ("2", "1") if self.version % 2 else ("1", "2")  # values that change places are a change
        spaced = "\t" if self.version % 2 else ""  # white space around a name is none of it
        return {
            "order_id": f"O{self.order}",
            "customer_id": f"C{self.customer}{spaced}" if self.customer else "",
            "ordered_at": _when(self, 60 * self.order),
            "updated_at": moment(ARRIVALS, self.version),
            "status": "cancelled" if self.cancelled_for else "paid",
            "cancel_reason": self.cancelled_for,
            "channel": "web",
            "subtotal": "20",
            "discount": str(self.discount),
            "shipping": shipping,
            "tax": tax,
            "total": "99" if self.fault == "rule" else str(23 - self.discount),
        }


@dataclass(frozen=True)
class Item:
    feed: ClassVar[str] = "order_items"
    order: int
    line: str
    on: int
    version: int = 0
    product: int = 1
    fault: str = ""

    def record(self) -> dict[str, str]:
        return {
            "order_id": f"O{self.order}",
            "line_number": self.line,
            "product_id": f"P{self.product}",
            "ordered_at": _when(self, 60 * self.order),
            "updated_at": moment(ARRIVALS, self.version),
            "quantity": "0" if self.fault == "rule" else "2",
            "unit_price": "10",
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
    fault: str = ""

    def record(self) -> dict[str, str]:
        return {
            "payment_id": str(self.payment),
            "order_id": f"O{self.order}",
            "paid_at": _when(self, 7),
            "updated_at": moment(ARRIVALS, self.version),
            "method": self.method,
            "status": self.status,
            "amount": "-1" if self.fault == "rule" else "23",
            "fee": "1",
        }


@dataclass(frozen=True)
class Return:
    feed: ClassVar[str] = "returns"
    number: int
    on: int
    version: int = 0
    order: int | None = None
    product: int = 1
    customer: int | None = None
    fault: str = ""

    def record(self) -> dict[str, str]:
        return {
            "return_id": f"R{self.number}",
            "order_id": f"O{self.order}" if self.order else "",
            "product_id": f"P{self.product}",
            "customer_id": f"C{self.customer}" if self.customer else "",
            "returned_at": _when(self, 30),
            "updated_at": moment(ARRIVALS, self.version),
            "channel": "web",
            "quantity": "0" if self.fault == "rule" else "1",
            "amount": "10",
            "shipping": "0",
            "tax": "1",
        }


@dataclass(frozen=True)
class Event:
    feed: ClassVar[str] = "events"
    event: int
    on: int
    minutes: int = 0
    visitor: int = 1
    name: str = "Product Viewed"
    product: int = 1
    customer: int | None = None
    cart: int | None = None
    order: int | None = None
    link: str = ""
    fault: str = ""

    def record(self) -> dict[str, str]:
        source, medium, campaign = self.link.split() if self.link else ("", "", "")
        return {
            "event_id": f"E{self.event}",
            "occurred_at": _when(self, self.minutes),
            "event": "Something Else" if self.fault == "rule" else self.name,
            "anonymous_id": f"V{self.visitor}",
            "product_id": f"P{self.product}",
            "customer_id": f"C{self.customer}" if self.customer else "",
            "cart_id": f"K{self.cart}" if self.cart else "",
            "order_id": f"O{self.order}" if self.order else "",
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
    fault: str = ""

    def record(self) -> dict[str, str]:
        shipped = "" if self.after is None else moment(self.on + self.after)
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

    def record(self) -> dict[str, str]:
        return {
            "receipt_id": f"I{self.number}",
            "supplier_id": f"U{self.supplier}",
            "product_id": f"P{self.product}",
            "ordered_on": moment(self.on - 3)[:10],
            "received_at": _when(self),
            "quantity": "0" if self.fault == "rule" else "9",
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

    def record(self) -> dict[str, str]:
        return {
            "movement_id": f"M{self.number}",
            "product_id": f"P{self.product}",
            "kind": "theft" if self.fault == "rule" else self.kind,
            "quantity": "-2" if self.kind == "sale" else "5",
            "moved_at": _when(self, 40),
        }


@dataclass(frozen=True)
class Review:
    feed: ClassVar[str] = "reviews"
    number: int
    on: int
    product: int = 1
    customer: int | None = None
    order: int | None = None
    fault: str = ""

    def record(self) -> dict[str, str]:
        return {
            "review_id": f"W{self.number}",
            "product_id": f"P{self.product}",
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
            "channel": "social",
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

    def record(self) -> dict[str, str]:
        return {
            "spend_on": _when(self)[:10],
            "campaign_id": f"A{self.campaign}",
            "updated_at": moment(ARRIVALS, self.version),
            "impressions": "100",
            "clicks": "7",
            "spend": str(-1 if self.fault == "rule" else self.amount),
        }


Row = (
    Customer
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
)
ROWS: dict[str, type] = {row.feed: row for row in get_args(Row)}


def _when(row: Any, minutes: int = 0) -> str:
    return "some day" if row.fault == "moment" else moment(row.on, minutes)


def _file(feed: str, name: str, rows: Sequence[Row]) -> bytes:
    records = [row.record() for row in rows]
    if name.endswith(".jsonl"):
        return "".join(json.dumps(record) + "\n" for record in records).encode()
    text = io.StringIO()
    header = list(records[0]) if records else list(catalog.tables()[f"bronze.{feed}"].contract.columns)
    writer = csv.DictWriter(text, header)
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


# -- steps ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Land:
    """A file arrives. One that arrived before under its name on that day is replaced."""

    feed: str
    arrived: int
    file: str
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Again:
    """The same file arrives once more on another day; nothing where there is none."""

    feed: str
    arrived: int
    file: str
    on: int


@dataclass(frozen=True)
class Feed:
    """What is known of a feed changes. A day without a file is a good one until files are due."""

    feed: str
    time_zone: str = "UTC"
    is_due: bool = False


@dataclass(frozen=True)
class Run:
    """Tables over a window of days, all where none are named. With `crash`, it fails at that step of its writing."""

    tables: tuple[str, ...] = ()
    first: int = 0
    last: int = ARRIVALS - 1
    crash: int | None = None


@dataclass(frozen=True)
class Repair:
    """All that is stale is run, as far as it goes before the crash."""

    crash: int | None = None


@dataclass(frozen=True)
class Reopen:
    """The warehouse is closed and opened again."""


Step = Land | Again | Feed | Run | Repair | Reopen


@dataclass(frozen=True)
class History:
    """What happens to a part of the catalog: the tables that `goal` names, and all that they are made of."""

    goal: str
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        steps = "".join(f"    {step},\n" for step in self.steps)
        return f"History({self.goal!r}, (\n{steps}))"


EVERYTHING = "everything"


@cache
def _lenient() -> tuple[Declaration, ...]:
    return tuple(
        dataclasses.replace(d, contract=dataclasses.replace(d.contract, max_bad_share=TOLERATED)) if d.from_feed else d
        for d in catalog.tables()
    )


@cache
def tables_of(goal: str) -> Catalog:
    """The tables that a history is about."""
    tables = catalog.tables()
    goals = tables.names if goal == EVERYTHING else goal.split()
    wanted = set(goals).union(*map(tables.upstream, goals))
    return Catalog(declaration for declaration in _lenient() if declaration.name in wanted)


# -- replay -----------------------------------------------------------------------------------------


class Crashed(Exception):
    """Raised in the middle of a write."""


@contextmanager
def _crash_at(session: Session, step: int | None) -> Iterator[None]:
    if step is None:
        yield
        return
    left = step

    def count(name: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Crashed(name)

    session.on_step = count
    try:
        yield
    except Crashed:
        pass
    finally:
        session.on_step = lambda name: None


@dataclass
class Replay:
    """A history under way: the landing zone and the open warehouse."""

    history: History
    folder: Path
    session: Session = field(init=False)

    def __post_init__(self) -> None:
        self.zone = Zone(self.folder / "landing")
        self.is_reopened = Reopen() in self.history.steps
        self.open()
        for feed in ROWS:
            self.take(Feed(feed))

    def open(self) -> None:
        con = duckdb.connect(self.folder / "warehouse.duckdb" if self.is_reopened else ":memory:")
        con.execute("set TimeZone = 'UTC'")
        self.begin(con)

    def begin(self, con: duckdb.DuckDBPyConnection) -> None:
        """A session knows the settings with which it began."""
        self.session = Session(con, tables_of(self.history.goal), self.zone, Window(START, dt.date.max))

    def close(self) -> None:
        self.session.con.close()

    def take(self, step: Step) -> None:
        match step:
            case Land(feed, arrived, file, rows):
                self.zone.write(feed, _day(arrived), file, _file(feed, file, rows))
            case Again(feed, arrived, file, on):
                for landed in self.zone.arrivals(feed, _day(arrived), _day(arrived))[_day(arrived)]:
                    if landed.name == file:
                        self.zone.write(feed, _day(on), f"again-{file}", landed.path.read_bytes())
            case Feed(feed, time_zone, is_due):
                self.zone.save_settings(feed, FeedSettings(time_zone, frozenset(range(7) if is_due else ())))
                self.begin(self.session.con)
            case Run(tables, first, last, crash):
                with _crash_at(self.session, crash):
                    for name in self.session.catalog.names:
                        if not tables or name in tables:
                            self.session.run(name, Window(_day(first), _day(last)))
            case Repair(crash):
                with _crash_at(self.session, crash):
                    settle(self.session)
            case Reopen():
                self.close()
                self.open()


def _day(number: int) -> dt.date:
    return START + dt.timedelta(days=number)


@contextmanager
def replay(history: History, folder: Path) -> Iterator[Session]:
    """The session on the warehouse after all steps, before the last repair."""
    with closing(Replay(history, folder)) as replayed:
        for step in history.steps:
            replayed.take(step)
        yield replayed.session


def repair_as_planned(session: Session) -> None:
    """Repair as users do: in runs of a window each, until nothing is stale."""
    last: list[repair.Repair] = []
    while found := session.stale():
        planned = repair.plan(found, session.catalog, good_days(session.con))
        assert planned != last, f"{found[0]} stays stale."
        last = planned
        for run in planned:
            for name in session.catalog.names:
                if name in run.tables:
                    session.repair(name, run.window)


def broken_law(session: Session, by_row: bool = False) -> str:
    """How a warehouse differs from a clean run once nothing is stale; empty where it does not."""
    repair_as_planned(session)
    standing = contents(session)
    with duckdb.connect() as con:
        clean = rebuild(session, con)
        rebuilt = contents(clean)
        order = session.catalog.names
        different = sorted(
            (key for key in standing.keys() | rebuilt.keys() if standing.get(key) != rebuilt.get(key)),
            key=lambda key: (order.index(key[0]), key[1]),
        )
        lines = [f"{key}: it is {standing.get(key)}; a clean run makes it {rebuilt.get(key)}" for key in different]
        if by_row and not lines:
            lines = [f"{table}: {side}: {row}" for table, side, row in _different_rows(session, clean)]
    return "\n".join(lines)


def _different_rows(session: Session, clean: Session) -> Iterator[tuple[str, str, Any]]:
    for declaration in session.catalog:
        tables = [declaration.name]
        if declaration.from_feed:
            tables += [declaration.quarantine, declaration.superseded]
        for table in tables:
            here, there = (Counter(_rows(one.con, table)) for one in (session, clean))
            yield from ((table, "only in the warehouse", row) for row in here - there)
            yield from ((table, "only in the clean run", row) for row in there - here)


def _rows(con: duckdb.DuckDBPyConnection, table: str) -> list[Any]:
    try:
        rows = con.sql(f"from {quoted(table)}")
    except duckdb.CatalogException:
        return []
    columns = ", ".join(f"{quoted(column)}::varchar" for column in sorted(rows.columns))
    return con.execute(f"select {columns} from {quoted(table)}").fetchall()


# -- how much a repair runs -------------------------------------------------------------------------

TableDay = tuple[str, dt.date]


@dataclass
class Tally:
    """Table-days that repairs ran again: how many, how many of them changed, and which ran though nothing had changed.

    Counted by the furthest reach of their tables; a day's first run does not count.
    """

    ran: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    needless: list[TableDay] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"{reach:14} {self.ran[reach]:6} run again {self.changed[reach]:6} changed "
            f"{self.ran[reach] / max(self.changed[reach], 1):6.2f} run per change"
            for reach in sorted(self.ran)
        ]
        return "\n".join(lines)


def tally_repairs(history: History, folder: Path, tally: Tally) -> None:
    """Everything of a history lands, one file after the other, and is repaired each time."""
    with closing(Replay(history, folder)) as replayed:
        for step in history.steps:
            if isinstance(step, (Land, Again)):
                replayed.take(step)
                _tally_repair(replayed.session, tally)


def _tally_repair(session: Session, tally: Tally) -> None:
    changed: set[TableDay] = set()
    while stale := session.stale():
        first = min((found.table for found in stale), key=session.catalog.names.index)
        for found in stale:
            if found.table != first:
                continue
            before = _standing(session)
            session.run(first, Window(found.day, found.day))
            after = _standing(session)
            changed |= {one for one in before.keys() | after.keys() if before.get(one) != after.get(one)}
            if (first, found.day) in before:
                declaration = session.catalog[first]
                reach = _furthest(declaration)
                tally.ran[reach] += 1
                tally.changed[reach] += before[first, found.day] != after[first, found.day]
                inputs = {(read.table, found.day) for read in declaration.reads}
                asked = found.cause.is_invalidation
                if reach in ("by_event_day", "same_day") and not asked and not inputs & changed:
                    tally.needless.append((first, found.day))


def _furthest(declaration: Declaration) -> str:
    reaches = [read.reach for read in declaration.reads]
    far = [reach.name for reach in reaches if not reach.is_same_day]
    return far[0] if far else reaches[0].name if reaches else "files"


def _standing(session: Session) -> dict[TableDay, tuple[Any, ...]]:
    """State and content of each table-day, bronze by the day on which it is read."""
    rows = session.con.execute("""
        select table_name, day, max(state), sum(content) from (
            select table_name, day, state, 0::hugeint as content from ledger.days
            union all
            select table_name, read_day, null, hash(day, row_count, content)::hugeint from ledger.slices)
        group by all""").fetchall()
    return {(table, day): tuple(rest) for table, day, *rest in rows}


# -- random histories -------------------------------------------------------------------------------

_days = st.integers(0, DAYS - 1)
_few = st.integers(1, 2)
_versions = st.integers(0, 3)
_faults = st.sampled_from(["", "", "", "", "", "", "rule", "moment"])
_perhaps_repaired: st.SearchStrategy[tuple[Step, ...]] = st.sampled_from([(), (Repair(),)])
_maybe_few = st.sampled_from([None, 1, 2])
_reasons = st.sampled_from(["", "", "", "customer", "void"])
_links = st.sampled_from(["", "", "google cpc spring", "paper newsletter sale", "blog post none"])
_files = st.sampled_from(["a.csv", "b.jsonl"])
_ROW_STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "customers": st.builds(Customer, _few, _days, st.sampled_from(["Oslo", "Bergen"]), _faults),
    "products": st.builds(Product, _few, _days, st.sampled_from([10, 12]), _faults),
    "orders": st.builds(Order, _few, _days, _versions, _maybe_few, st.sampled_from([0, 5]), _reasons, _faults),
    "order_items": st.builds(Item, _few, st.sampled_from(["1", "2", "1.0", "01"]), _days, _versions, _few, _faults),
    "payments": st.builds(
        Payment,
        st.integers(1, 4),
        _days,
        _versions,
        _few,
        st.sampled_from(["card", "paypal"]),
        st.sampled_from(["captured", "captured", "authorised", "failed", "refunded"]),
        _faults,
    ),
    "returns": st.builds(Return, _few, _days, _versions, _maybe_few, _few, _maybe_few, _faults),
    "events": st.builds(
        Event,
        st.integers(1, 6),
        _days,
        st.sampled_from([0, 20, 835, 850, 865]),
        _few,
        st.sampled_from(["Product Viewed", "Product Added", "Order Completed"]),
        _few,
        _maybe_few,
        _maybe_few,
        _maybe_few,
        _links,
        _faults,
    ),
    "shipments": st.builds(Shipment, _few, _days, _versions, _few, st.sampled_from([None, 0, 2]), _faults),
    "suppliers": st.builds(Supplier, _few, _days, _few, _faults),
    "purchase_receipts": st.builds(Receipt, _few, _days, _few, _few, _faults),
    "inventory_movements": st.builds(
        Movement, st.integers(1, 4), _days, _few, st.sampled_from(["opening", "receipt", "sale"]), _faults
    ),
    "reviews": st.builds(Review, _few, _days, _few, _maybe_few, st.sampled_from([None, 1]), _faults),
    "campaigns": st.builds(Campaign, _few, _days, st.sampled_from(["spring", "sale"]), _faults),
    "ad_spend": st.builds(Spend, _few, _days, _versions, _few, _faults),
}


@st.composite
def _landings(draw: st.DrawFn, feed: str) -> tuple[Step, ...]:
    """A file of a feed, mostly on time, with rows of its day and of days before."""
    rows = tuple(draw(st.lists(_ROW_STRATEGIES[feed], max_size=4)))
    first = max((row.on for row in rows), default=0)
    return (Land(feed, first + draw(st.sampled_from([0, 0, 0, 1, 2])), draw(_files), rows), *draw(_perhaps_repaired))


@st.composite
def _changes(draw: st.DrawFn, feed: str) -> tuple[Step, ...]:
    """A file that is read and then loses a row, is overruled by a later one, or turns out to be of another zone."""
    landed = draw(_landings(feed))[0]
    assert isinstance(landed, Land)
    by = draw(st.integers(1, DAYS - 1))
    later = tuple(
        dataclasses.replace(row, on=(row.on + by) % DAYS, **({"version": 4} if hasattr(row, "version") else {}))
        for row in landed.rows
    )
    change = draw(
        st.sampled_from(
            [
                dataclasses.replace(landed, rows=landed.rows[1:]),
                Land(feed, ARRIVALS - 1, "later.csv", later),
                Feed(feed, "Asia/Tokyo"),
            ]
        )
    )
    return (landed, Repair(), change, *draw(_perhaps_repaired))


@st.composite
def _visits(draw: st.DrawFn, order: Order, product: int) -> list[Row]:
    """Before an order its product is viewed and put into a cart, in the same visit or before the midnight before."""
    visitor, cart, link = draw(_few), draw(_few), draw(_links)
    number, on, minutes = 10 * order.order + 3 * order.on, order.on, 60 * order.order
    first_on, first = draw(st.sampled_from([(on, minutes - 10), (max(on - 1, 0), 835)]))
    known, named = draw(st.sampled_from([None, order.customer])), draw(st.sampled_from([None, cart]))
    bought = Event(number + 2, on, minutes, visitor, "Order Completed", product, order.customer, named, order.order)
    return [
        Event(number, first_on, first, visitor, "Product Viewed", product, known, link=link),
        Event(number + 1, first_on, first + 2, visitor, "Product Added", product, known, cart),
        bought,
    ]


@st.composite
def _purchases(draw: st.DrawFn, feeds: frozenset[str]) -> tuple[Step, ...]:
    """An order with what leads to it and follows it, as far as there are feeds; a file each, one of which may go."""
    on, order, version, customer = draw(_days), draw(_few), draw(_versions), draw(_maybe_few)
    product, cancelled_for = draw(_few), draw(_reasons)
    placed = Order(order, on, version, customer, draw(st.sampled_from([0, 5])), cancelled_for)
    rows: list[Row] = [
        placed,
        Item(order, "1", on, version, product),
        Item(order, "2", on, version, product),
        Payment(order, on, version, order),
        *([Payment(order + 2, on, version, order, status="refunded")] if cancelled_for == "customer" else []),
        Product(product, on),
        *([Customer(customer, on)] if customer else []),
        *draw(_visits(placed, product)),
        Shipment(order, on, version, order, draw(st.sampled_from([None, 0, 2]))),
        Campaign(1, on),
        Spend(1, on, version),
        Supplier(1, on),
        Receipt(order, on, 1, product),
        Movement(order, on, product, draw(st.sampled_from(["opening", "sale"]))),
        *draw(st.sampled_from([[], [Return(order, on, version, order, product, customer)]])),
        *draw(st.sampled_from([[], [Review(order, on, product, customer, order)]])),
    ]
    late = draw(st.dictionaries(st.sampled_from(sorted(feeds)), st.sampled_from([0, 1, 2]), max_size=2))
    file = draw(_files)
    by_feed: dict[str, list[Row]] = {}
    for row in rows:
        by_feed.setdefault(row.feed, []).append(row)
    landed = tuple(
        Land(feed, on + late.get(feed, 0), f"{order}{file}", tuple(of_feed))
        for feed, of_feed in by_feed.items()
        if feed in feeds
    )
    gone = tuple(dataclasses.replace(step, rows=()) for step in landed if step.feed in ("orders", "customers"))
    return (*landed, *draw(st.sampled_from([(), (Repair(),), *((Repair(), step) for step in gone)])))


@st.composite
def _visits_over_midnight(draw: st.DrawFn) -> tuple[Step, ...]:
    """Events on both sides of midnight, each side in a file of its day, perhaps with a repair between."""
    on, visitor = draw(_days), draw(_few)
    before, after = (
        Land("events", on + late, f"{side}.csv", (Event(2 * on + late, on, minutes, visitor),))
        for late, side, minutes in ((0, "before", 835), (1, "after", 850))
    )
    return (before, *draw(_perhaps_repaired), after)


_crashes = st.one_of(st.none(), st.integers(0, 60))


@st.composite
def _runs(draw: st.DrawFn, names: Sequence[str]) -> tuple[Step, ...]:
    first = draw(st.integers(0, ARRIVALS - 1))
    last = draw(st.integers(first, ARRIVALS - 1))
    tables = draw(st.one_of(st.just(()), st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True)))
    return (*draw(_perhaps_repaired), Run(tuple(name for name in names if name in tables), first, last, draw(_crashes)))


GOALS = [
    "gold.agg_daily_sales",
    "gold.fact_payments",
    "gold.dim_status",
    "kpi.daily_customers",
    "gold.fact_returns",
    "silver.order_items",
    "kpi.daily_funnel",
    "gold.dim_customer_versions",
    "gold.fact_inventory_daily",
    "gold.fact_ad_spend",
    "kpi.customer_rfm",
    "kpi.daily_fulfilment",
    "kpi.daily_carts",
    "kpi.incomplete_orders gold.fact_reviews",
    "kpi.daily_inventory kpi.daily_stock_reconciliation gold.fact_purchase_receipts",
    "features.category_affinity features.customer_features",
    "kpi.daily_refund_rates kpi.product_abc kpi.daily_repeat_rates kpi.monthly_repeat_rates",
    "kpi.monthly_insights gold.dim_payment_method",
    "kpi.attribution gold.dim_channel",
    "kpi.daily_acquisition kpi.daily_reconciliation kpi.settled_reconciliation",
]


@st.composite
def histories(draw: st.DrawFn, goals: Sequence[str], steps: int) -> History:
    """Histories of up to that many groups of steps, and at least half of them."""
    goal = draw(st.sampled_from(goals))
    names, feeds = tables_of(goal).names, frozenset(tables_of(goal).feeds)
    feed = st.sampled_from(sorted(feeds))
    once_more = st.builds(Again, feed, _days, _files, st.integers(0, ARRIVALS - 1))
    known = st.builds(Feed, feed, st.sampled_from(["UTC", "Asia/Tokyo"]), st.booleans())
    some = [
        feed.flatmap(_landings),
        feed.flatmap(_changes),
        _runs(names),
        _runs(names),
        st.builds(Repair, _crashes).map(lambda step: (step,)),
        st.one_of(once_more, known, st.just(Reopen())).map(lambda step: (step,)),
    ]
    if feeds & {"orders", "events", "products", "campaigns"}:
        some += [_purchases(feeds), _purchases(feeds)]
    if "events" in feeds:
        some += [_visits_over_midnight(), _visits_over_midnight()]
    groups = draw(st.lists(st.one_of(some), min_size=steps // 2, max_size=steps))
    all_days = draw(
        st.sampled_from([(), (Run(),), (Run(tuple(name for name in names if name.startswith("bronze."))),)])
    )
    return History(goal, (*all_days, *(step for group in groups for step in group)))


# -- histories to remember --------------------------------------------------------------------------

_ONE_ORDER = (Land("orders", 1, "a.csv", (Order(1, on=1),)), Land("payments", 1, "a.csv", (Payment(1, on=1),)))
REMEMBERED = {
    "an order is gone after its payment was let in": History(
        "gold.fact_payments", (Run(), *_ONE_ORDER, Repair(), Land("orders", 1, "a.csv"))
    ),
    "a moved payment waits for another order, which comes": History(
        "gold.fact_payments",
        (
            Run(),
            *_ONE_ORDER,
            Land("payments", 2, "a.csv", (Payment(1, on=2, version=1, order=2),)),
            Repair(),
            Land("orders", 3, "a.csv", (Order(2, on=3),)),
        ),
    ),
    "good days crash in every way when they run once more": History(
        "gold.fact_payments",
        (
            Run(),
            *_ONE_ORDER,
            Repair(),
            *(Run(("silver.orders", "gold.fact_payments"), crash=n) for n in reversed(range(14))),
        ),
    ),
    "a table runs on a day that one of its inputs does not know": History(
        "gold.fact_returns",
        (Run(("bronze.returns",), 0, 0), Run(("bronze.customers", "bronze.order_items", "gold.fact_returns"), 0, 0)),
    ),
    "a customer is gone whom an order names with a tab behind": History(
        "silver.orders",
        (
            Land("customers", 0, "a.csv", (Customer(1, on=0),)),
            Land("orders", 0, "a.csv", (Order(1, on=0, version=1, customer=1),)),
            Repair(),
            Land("customers", 0, "a.csv"),
        ),
    ),
    "a feed turns out to be of another time zone": History(
        "gold.fact_payments", (Run(), *_ONE_ORDER, Repair(), Feed("orders", "Asia/Tokyo"))
    ),
    "two amounts of an order change places": History(
        "gold.agg_daily_sales",
        (
            Land("products", 0, "a.csv", (Product(1, on=0),)),
            Land("orders", 0, "a.csv", (Order(1, on=0),)),
            Land("order_items", 0, "a.csv", (Item(1, "1", on=0),)),
            Run(),
            Land("orders", 1, "a.csv", (Order(1, on=0, version=1),)),
        ),
    ),
    "an order moves with its line, and back without it": History(
        "silver.order_items",
        (
            Land("products", 0, "a.csv", (Product(1, on=0),)),
            Land("orders", 0, "a.csv", (Order(1, on=0),)),
            Land("order_items", 0, "a.csv", (Item(1, "1", on=0),)),
            Land("orders", 4, "a.csv", (Order(1, on=4, version=1),)),
            Land("order_items", 4, "a.csv", (Item(1, "1", on=4, version=1),)),
            Run(),
            Land("orders", 5, "a.csv", (Order(1, on=0, version=2),)),
        ),
    ),
}
"""Histories that ended otherwise once, or that chance seldom finds."""
