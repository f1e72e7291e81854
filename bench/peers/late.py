"""Files that come late: a first order and a correction, then changes of a customer and a product."""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from bench.peers.records import FEEDS
from bench.peers.stacks import Days, Late
from ecom_assets.days import ONE_DAY, Window

LATE_ORDER, LATE_CORRECTION, LATE_CHANGE = 40, 47, 30
"""Days after their event; less if the history is shorter."""
NEW_ORDER = "O99999999"


def late_orders(zone: Path, days: Days, target: Path) -> Late:
    """Writes below `target` what arrives on the late day.

    It is an order from before all others of a customer, with the lines of one of these, and one unit more on a line of
    an order that was already there.
    """
    ordered = max(days.late.first - LATE_ORDER * ONE_DAY, days.history.first)
    corrected = max(days.late.first - LATE_CORRECTION * ONE_DAY, days.history.first)
    con = _files_of(zone)
    con.execute(f"""
        create table of_customer as
        select * from orders
        where customer_id is not null
        qualify row_number() over (partition by customer_id order by ordered_at, order_id) = 1
            and day > date '{ordered}'
        order by count(*) over (partition by customer_id) desc, order_id limit 1;
        create table of_correction as
        select o.*, i.line_number, i.unit_price
        from orders o join items i using (order_id)
        where o.day >= date '{corrected}' and o.order_id <> (select order_id from of_customer)
        order by o.day, o.discount::decimal(18, 4) = 0, o.order_id, i.line_number limit 1""")
    at, now = f"'{ordered}T09:30:00Z'", f"'{days.late.first}T08:00:00Z'"
    raised = ", ".join(
        f"({amount}::decimal(18, 4) + unit_price::decimal(18, 4))::varchar as {amount}"
        for amount in ("subtotal", "total")
    )
    of_order = "order_id = (select order_id from {})"
    orders = f"""
        select * exclude (day) replace ('{NEW_ORDER}' as order_id, {at} as ordered_at, {at} as updated_at)
        from of_customer
        union all
        select * exclude (day, line_number, unit_price) replace ({now} as updated_at, {raised}) from of_correction"""
    items = f"""
        select * replace ('{NEW_ORDER}' as order_id, {at} as ordered_at, {at} as updated_at)
        from items where {of_order.format("of_customer")}
        union all
        select * replace ((quantity::int + 1)::varchar as quantity, {now} as updated_at)
        from items
        where {of_order.format("of_correction")} and line_number = (select line_number from of_correction)"""
    _write(con, target, days.late, {"orders": orders, "order_items": items})
    first = con.execute("select min(day) from (select day from of_correction union all select ?)", [ordered]).fetchall()
    return Late(days.late, Window(first[0][0], days.late.first), is_orders=True)


def late_changes(zone: Path, days: Days, target: Path) -> Late:
    """Writes below `target` what arrives on the day of changes.

    It is another city of the customer who has bought most since, and a higher cost of the product sold most since.
    """
    day = max(days.changes.first - LATE_CHANGE * ONE_DAY, days.history.first)
    con, at = _files_of(zone), f"'{day}T00:30:00Z'"
    rows = {}
    for feed, bought, change in (
        ("customers", "orders", "'Late Harbour' as city"),
        ("products", "items", "(cost::decimal(18, 4) + 1)::varchar as cost"),
    ):
        key = feed.removesuffix("s") + "_id"
        most = f"""
            select {key} from {bought} where ordered_at > {at} and {key} in (select {key} from {feed})
            group by 1 order by count(distinct order_id) desc, 1 limit 1"""
        rows[feed] = f"""
            select * replace ({at} as changed_at, {change}) from {feed}
            where {key} = ({most}) and changed_at < {at} order by changed_at desc limit 1"""
    _write(con, target, days.changes, rows)
    return Late(days.changes, Window(day, days.changes.first), is_orders=False)


def _files_of(zone: Path) -> duckdb.DuckDBPyConnection:
    """Returns a connection with the shop's own rows as text, without those that hold a defect."""
    con = duckdb.connect()
    con.execute(f"""
        set TimeZone = 'UTC';
        create table orders as
        select *, ordered_at[:10]::date as day from read_csv('{zone}/orders/*/orders-*.csv', all_varchar = true)
        where order_id like 'O%' and status in ('placed', 'paid', 'shipped', 'delivered')
            and subtotal::decimal(18, 4) - discount::decimal(18, 4) + shipping::decimal(18, 4) + tax::decimal(18, 4)
                = total::decimal(18, 4) and subtotal::decimal(18, 4) > 0
        qualify row_number() over (partition by order_id order by updated_at desc) = 1;
        create table items as
        select * from read_csv('{zone}/order_items/*/order_items-*.csv.gz', all_varchar = true)
        where quantity::int > 0 and unit_price::decimal(18, 4) > 0
        qualify row_number() over (partition by order_id, line_number order by updated_at desc) = 1;
        create table customers as
        select * from read_json('{zone}/customers/*/customers-*.jsonl', format = 'newline_delimited', columns = {{
            customer_id: 'varchar', changed_at: 'varchar', registered_at: 'varchar', name: 'varchar', email: 'varchar',
            city: 'varchar', country: 'varchar', marketing_consent: 'boolean'}})
        where customer_id is not null;
        create table products as
        select * from read_csv('{zone}/products/*/products-*.csv', all_varchar = true)
        where product_id is not null and cost is not null""")
    return con


def _write(con: duckdb.DuckDBPyConnection, target: Path, day: Window, rows: Mapping[str, str]) -> None:
    """Writes a file of each feed: with the rows of its SQL, or with none, since all feeds send something every day."""
    for feed, declared in FEEDS.items():
        folder = target / feed / str(day.first)
        folder.mkdir(parents=True, exist_ok=True)
        nothing = f"select {', '.join(f'null::varchar as {column}' for column in declared.types)} limit 0"
        kind, _, packed = declared.format.partition(".")
        options = "format csv, header" if kind == "csv" else "format json"
        packing = ", compression gzip" if packed else ""
        file = folder / f"late-{feed}.{declared.format}"
        con.execute(f"copy ({rows.get(feed, nothing)}) to '{file}' ({options}{packing})")
