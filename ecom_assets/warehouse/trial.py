"""What the rules of silver would say of landed rows, in a warehouse of their own that nobody keeps."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ecom_assets.contract import MISSING_RATE
from ecom_assets.days import ONE_DAY, Window
from ecom_assets.declaration import Catalog, Declaration
from ecom_assets.landing.zone import Zone
from ecom_assets.sql import connect, literals, quoted
from ecom_assets.warehouse.session import Session


@dataclass(frozen=True)
class Refused:
    """A reason for which rows of a feed would be quarantined: how many, and the key of one as text."""

    feed: str
    reason: str
    rows: int
    example: str


def trial(
    landed: Zone, tables: Catalog, calendar: Window, time_zone: str, before: Zone, currency: str | None = None
) -> list[Refused]:
    """Returns the reasons for which rows of a zone would be quarantined, by feed, the most frequent first.

    That a row refers to none of another feed, or that its currency has no rate, is not said if rows of that feed
    landed `before`: it may be among these. `currency` is the shop's. No feed of the zone may be due on a day without a
    file, or allow few bad rows: what refers to rows of such a day is not looked at.
    """
    days = [day for feed in landed.feeds() for day in landed.days(feed) if day in calendar]
    if not days:
        return []
    arrived = Window(min(days), max(days))
    with TemporaryDirectory(prefix="trial-") as scratch, connect(Path(scratch) / "warehouse.duckdb") as con:
        con.execute("set TimeZone = 'UTC'")
        silver = [each for each in tables if each.from_feed]
        few = Catalog([*(tables[each.bronze] for each in silver), *silver])
        session = Session(con, few, landed, calendar, time_zone, currency=currency)
        in_order = [each for each in few if each.from_feed]
        arriving = [each for each in in_order if each.feed_name in landed.feeds()]
        referred = {str(column.references) for each in arriving for column in each.contract.references}
        needed = [each for each in in_order if each in arriving or each.name in referred]
        for declaration in needed:
            session.run(declaration.bronze, arrived)
        read_on = " union all ".join(f"select read_on from {declaration.bronze}" for declaration in needed)
        [(first, last)] = con.execute(f"select min(read_on), max(read_on) from ({read_on})").fetchall()
        if first is None:
            return []
        happened = Window(first, max(first, min(last, arrived.last)))
        for declaration in needed:
            if first < arrived.first:
                session.run(declaration.bronze, Window(first, arrived.first - ONE_DAY))
            session.run(declaration.name, happened)
        return [refused for declaration in arriving for refused in _refused(session, declaration, before)]


def _refused(session: Session, declaration: Declaration, before: Zone) -> Iterator[Refused]:
    """Yields why rows of a feed are quarantined."""
    others = {column: session.catalog[str(column.references)] for column in declaration.contract.references}
    waits = [
        column.missing_reference.code
        for column, target in others.items()
        if target.from_feed and before.days(target.feed_name)
    ]
    rates = [session.catalog[str(column.converted_by)].feed_name for column in declaration.contract.converted]
    waits += [MISSING_RATE for feed in rates if before.days(feed)]
    key = " || ', ' || ".join(f"coalesce({quoted(name)}, '')" for name in declaration.feed_contract.primary_key)
    rows = session.con.execute(f"""
        select reason, count(*), min(key) from (
            select unnest(reasons) as reason, unnest(reason_codes) as code, {key} as key from {declaration.quarantine}
        ) where not list_contains([{literals(waits)}]::varchar[], code) group by all order by 2 desc, 1""")
    for reason, number, example in rows.fetchall():
        yield Refused(declaration.feed_name, reason, number, example)
