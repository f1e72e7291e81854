"""The feeds as dbt and SQLMesh see them: columns and rules, and the SQL that reads, types and judges their records."""

from collections.abc import Mapping
from dataclasses import dataclass, field

TYPES = {
    "text": "nullif(trim({}), '')",
    "lower": "lower(nullif(trim({}), ''))",
    "moment": "(try_cast(nullif(trim({}), '') as timestamptz) at time zone 'UTC')",
    "number": "try_cast(nullif(trim({}), '') as decimal(18, 4))",
    "whole": "try_cast(nullif(trim({}), '') as bigint)",
    "flag": "try_cast(nullif(trim({}), '') as boolean)",
}
_TEXTS = ("text", "lower")


@dataclass(frozen=True)
class Feed:
    """A feed: its files, and when a record of it is good.

    `columns` is written `name:type`, the type text if left out, with `!` behind a column that has to be given.
    """

    format: str
    columns: str
    key: tuple[str, ...]
    moment: str
    day: str
    rules: Mapping[str, str]
    references: Mapping[str, str] = field(default_factory=dict)
    """Column, or columns with commas between, to the table and columns that hold what it refers to."""
    version: str | None = None
    derived: str = ""
    """SQL of further columns, with a comma behind each."""
    max_bad_share: float = 0.05

    @property
    def types(self) -> dict[str, str]:
        """Column to the name of its type."""
        split = (column.rstrip("!").partition(":") for column in self.columns.split())
        return {name: type_ or "text" for name, _, type_ in split}

    @property
    def required(self) -> list[str]:
        """The columns that have to be given."""
        return [column.rstrip("!").partition(":")[0] for column in self.columns.split() if column.endswith("!")]


_AFTER = "{} >= {}"
FEEDS = {
    "customers": Feed(
        "jsonl",
        "customer_id! changed_at:moment! registered_at:moment name email:lower city country marketing_consent:flag",
        ("customer_id", "changed_at"),
        "changed_at",
        "changed_on",
        {},
    ),
    "products": Feed(
        "csv",
        "product_id! changed_at:moment! name category brand price:number! cost:number is_active:flag",
        ("product_id", "changed_at"),
        "changed_at",
        "changed_on",
        {"price": "price >= 0", "cost": "cost is null or cost >= 0"},
        max_bad_share=0.5,
    ),
    "orders": Feed(
        "csv",
        "order_id! customer_id ordered_at:moment! updated_at:moment! status:lower! cancel_reason:lower channel:lower! "
        "country subtotal:number discount:number! shipping:number! tax:number! total:number",
        ("order_id",),
        "ordered_at",
        "ordered_on",
        {
            "status": "status in ('placed', 'paid', 'shipped', 'delivered', 'cancelled')",
            "cancel_reason": "cancel_reason is null "
            "or cancel_reason in ('customer', 'inventory', 'fraud', 'payment', 'void', 'test')",
            "amounts": "discount >= 0 and shipping >= 0 and tax >= 0",
            "total": "subtotal is null or total is null or abs(total - (subtotal - discount + shipping + tax)) <= 0.05",
            "reason of cancellation": "(status = 'cancelled') = (cancel_reason is not null)",
            "updated": "updated_at >= ordered_at",
        },
        {"customer_id": "silver.customers customer_id"},
        "updated_at",
        "cast(updated_at as date) as updated_on, ",
    ),
    "order_items": Feed(
        "csv.gz",
        "order_id! line_number:whole! product_id description ordered_at:moment! updated_at:moment! quantity:number! "
        "unit_price:number! discount:number!",
        ("order_id", "line_number"),
        "ordered_at",
        "ordered_on",
        {
            "line_number": "line_number >= 1",
            "quantity": "quantity > 0",
            "unit_price": "unit_price >= 0 or product_id is null",
            "discount": "discount >= 0",
            "amount": "abs(quantity * unit_price) < 10000000000",
            "updated": "updated_at >= ordered_at",
        },
        {"order_id, ordered_on": "silver.orders order_id, ordered_on", "product_id": "silver.products product_id"},
        "updated_at",
    ),
    "payments": Feed(
        "jsonl.gz",
        "payment_id! order_id! paid_at:moment! updated_at:moment! method:lower! status:lower! amount:number! "
        "fee:number!",
        ("payment_id",),
        "paid_at",
        "paid_on",
        {
            "status": "status in ('authorised', 'captured', 'failed', 'refunded', 'voided', 'charged_back')",
            "amount": "amount >= 0",
            "updated": "updated_at >= paid_at",
        },
        {"order_id": "silver.orders order_id"},
        "updated_at",
    ),
    "returns": Feed(
        "csv",
        "return_id! order_id line_number:whole product_id description customer_id returned_at:moment! "
        "updated_at:moment! channel:lower! country quantity:number amount:number! shipping:number! tax:number! reason",
        ("return_id",),
        "returned_at",
        "returned_on",
        {
            "line_number": "line_number is null or (line_number >= 1 and order_id is not null)",
            "quantity": "quantity is null or quantity >= 0",
            "amounts": "amount >= 0 and shipping >= 0 and tax >= 0",
            "updated": "updated_at >= returned_at",
        },
        {
            "order_id": "silver.orders order_id",
            "product_id": "silver.products product_id",
            "customer_id": "silver.customers customer_id",
        },
        "updated_at",
        max_bad_share=0.25,
    ),
}
IF_INCREMENTAL, END = ":if_incremental", ":end"
"""Enclose what only holds if the table stands already."""
LOOKBACK = 3
"""Days before the latest one that a run reads again, for what comes late."""


def landed(feed: str, landing: str, new: str) -> str:
    """Returns SQL for the records of a feed's files as text, with arrival day, file and place in the file.

    `landing` is the folder of the landing zone, `new` a condition on the day `:arrived`.
    """
    declared = FEEDS[feed]
    texts = ", ".join(f"'{column}': 'VARCHAR'" for column in declared.types)
    files = f"'{landing}/{feed}/*/*.{declared.format}', filename = true"
    if declared.format.startswith("csv"):
        reader = (
            f"read_csv({files}, header = true, auto_detect = false, delim = ',', quote = '\"', columns = {{{texts}}})"
        )
    else:
        reader = f"read_json({files}, format = 'newline_delimited', columns = {{{texts}}})"
    chosen = f"{IF_INCREMENTAL} where {new.replace(':arrived', _ARRIVED)} {END}"
    all_files = f"select * from {reader} {chosen}"
    if feed in ("orders", "order_items", "payments", "returns"):
        marketplace = f"read_parquet('{landing}/{feed}/*/*.parquet', filename = true)"
        all_files += f"\n    union all by name\n    select * exclude (_problem, _raw) from {marketplace} {chosen}"
    columns = ", ".join(f"cast({column} as varchar) as {column}" for column in declared.types)
    return f"""
select {columns}, {_ARRIVED} as arrived_on, split_part(filename, '/', -1) as source_file,
    row_number() over (partition by filename order by place) as record
from (
    select *, row_number() over () as place from (
    {all_files})
)"""


_ARRIVED = "cast(split_part(filename, '/', -2) as date)"


def judged(feed: str, start: str, arrived: str) -> str:
    """Returns SQL for the records that compete for the keys of those that arrived, with outcome and what is wrong.

    `start` is the first day of the calendar, `arrived` a condition on the day `:arrived`.
    """
    declared = FEEDS[feed]
    key, bronze = ", ".join(declared.key), f"bronze.{feed}"
    typed = {name: TYPES[type_].format(f"r.{name}") for name, type_ in declared.types.items()}
    read = " and ".join(
        f"({typed[name]} is not null or coalesce(trim(r.{name}), '') = '')"
        for name, type_ in declared.types.items()
        if type_ not in _TEXTS
    )
    happened = f"cast({declared.moment} as date)"
    if declared.moment in declared.key:
        happened = f"greatest({happened}, date '{start}')"
    usable = f"{happened} between date '{start}' and arrived_on + 1"
    rules = {
        **{f"{column} is missing": f"{column} is not null" for column in declared.required},
        "not readable": "is_readable",
        "day": usable,
        **declared.rules,
    }
    broken = " || ".join(
        f"case when coalesce({rule}, false) then '' else '{name}; ' end" for name, rule in rules.items()
    )
    lost = " || ".join(
        f"case when {' and '.join(f'{c} is not null' for c in column.split(', '))} "
        f"and ({column}) not in (select {_row(there)} from {table}) then 'unknown {column}; ' else '' end"
        for column, (table, _, there) in ((c, t.partition(" ")) for c, t in declared.references.items())
    )
    keys = f"({key}) in (select {_row(key)} from {bronze} where {arrived.replace(':arrived', 'arrived_on')})"
    competing = f"{IF_INCREMENTAL} where {arrived.replace(':arrived', 'r.arrived_on')} or {keys} {END}"
    version = f"{declared.version} desc nulls last, " if declared.version else ""
    return f"""
with typed as (
    select {", ".join(f"{sql} as {name}" for name, sql in typed.items())},
        {read} as is_readable, r.arrived_on, r.source_file, r.record
    from {bronze} as r
    {competing}
),
dated as (
    select *, {declared.derived}case when {usable} then {happened} else arrived_on end as {declared.day} from typed
),
checked as (
    select *,
        {broken} as problems,
        {lost or "''"} as unknown
    from dated
),
ranked as (
    select *, row_number() over (
        partition by {key}, problems = '' order by {version}arrived_on desc, source_file desc, record desc
    ) as place
    from checked
),
won as (
    select *, min(case when problems = '' and unknown = '' then place end) over (partition by {key}) as best
    from ranked
)
select * exclude (is_readable, place, best),
    case
        when problems <> '' then 'quarantined'
        when unknown = '' and place = best then 'accepted'
        when place > best then 'superseded'
        else 'quarantined'
    end as outcome
from won"""


def _row(columns: str) -> str:
    return f"({columns})" if "," in columns else columns
