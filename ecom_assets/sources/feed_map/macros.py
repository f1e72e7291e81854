"""The macros that a map's SQL may use, besides DuckDB's own functions.

A text that `amount` or `moment` cannot read becomes a value that no row may have, rather than null: it comes through
sums, earliest and latest, and its row is quarantined.
"""

import duckdb

from ecom_assets.contract import WORDS_FOR_NOTHING
from ecom_assets.engine.duckdb.parsing import moment_of
from ecom_assets.sources.feed_map.model import NumberFormat
from ecom_assets.sources.feed_map.sql import MICROSECONDS, moment_since_epoch
from ecom_assets.sql import literal, literals

NO_AMOUNT = "999999999999.999999"
"""The amount of a text that is not a number: more digits than an amount may have."""

NO_MOMENT = "'-infinity'::timestamptz"
"""The moment of a text that is not one."""

_LARGEST = "100000000000"


def create_macros(
    con: duckdb.DuckDBPyConnection, written: NumberFormat, time_zone: str, store: str | None = None
) -> None:
    """Creates or replaces the macros, with the defaults of one source."""
    zone = literal(time_zone)
    of_source = f"{literal(written.decimal)}, {literal(written.thousands or '')}"
    before = literal(f"{store}:" if store else "")
    for macro in (
        f"nothing(sent) as case when lower(trim(sent)) not in ('', {literals(WORDS_FOR_NOTHING)}) then sent end",
        f"_plain_number(sent, point, comma) as {_once('signed', _signed_number(), _plain_number())}",
        f"_read_number(sent) as {_once('written', 'sent', _exact_number())}",
        f"""amount(sent) as _read_number(_plain_number(sent, {of_source})),
            (sent, point, comma) as _read_number(_plain_number(sent, point, comma))""",
        f"rounded(sent, digits) as {_rounded(of_source)}",
        f"price_of(amount, quantity) as {_of_sale(_price())}",
        f"rounding_of(amount, quantity) as {_of_sale(_rounding())}",
        f"""moment(sent) as {_moment("sent", zone)},
            (sent, formats) as {_moment("coalesce(try_strptime(sent, formats)::varchar, sent)", zone)},
            (sent, formats, zone) as {_moment("coalesce(try_strptime(sent, formats)::varchar, sent)", "zone")}""",
        f"""epoch_moment(sent) as {_epoch("'s'")}, (sent, unit) as {_epoch("unit")}""",
        f"""day_of(happened) as (happened at time zone {zone})::date,
            (happened, zone) as (happened at time zone zone)::date""",
        f"of_store(number) as {before} || number",
        "items(sent) as from_json(nullif(trim(sent::varchar), ''), '[\"JSON\"]')",
        "line_number(parts, place) as row_number() over (partition by parts order by place)",
    ):
        con.execute(f"create or replace macro {macro}")


def _once(name: str, value: str, then: str) -> str:
    """Returns SQL for an expression in which a value has a name, and is planned once.

    A macro repeats the text of an argument wherever it is used, which multiplies with each macro within another.
    """
    return f"list_transform([{value}], lambda {name}: {then})[1]"


def _signed_number() -> str:
    """Returns SQL for the text of a number with its minus sign, if any, in front."""
    bare = r"""regexp_replace(trim(sent::varchar, ' "' || chr(160)), '[€$£¥\x{2007}\x{202f}]|^"|"$', '', 'g')"""
    turned = rf"regexp_replace({bare}, '^\s*[\x{{2212}}\x{{2012}}\x{{2013}}]', '-')"
    return rf"trim(regexp_replace({turned}, '^\((.*)\)$|^([^-].*)-$', '-\1\2'))"


def _plain_number() -> str:
    """Returns SQL for the text of a number with a point; null for no text, "not a number" for one with other marks."""
    between = "case when comma = '' then '()' else regexp_escape(comma) end"
    pattern = rf"""'[+-]?\s*(\d{{1,3}}((' || {between} || ')\d{{3}})+|\d*)(' || regexp_escape(point) || '\d*)?'"""
    plain = "replace(replace(replace(signed, ' ', ''), comma, ''), point, '.')"
    return f"""
        case when nullif(nullif(signed, ''), 'null') is null then null
             when regexp_full_match(signed, {pattern}) then {plain}
             when regexp_full_match(signed, '[+-]?\\d+(\\.\\d+)?[eE][+-]?\\d+') then signed
             else 'not a number' end"""


def _exact_number() -> str:
    exact = (
        r"case when not regexp_matches(written, '\.\d{6}\d*[1-9]|[eE]') then try_cast(written as decimal(18, 6)) end"
    )
    return f"case when written is not null then coalesce({_usable(exact)}, {_no_amount()}) end"


def _rounded(of_source: str) -> str:
    """Returns SQL for a number rounded half away from zero; what follows the seventh decimal cannot change that."""
    short = r"try_cast(regexp_replace(written, '(\.\d{7})\d+$', '\1') as decimal(18, 7))"
    number = f"case when contains(lower(written), 'e') then try_cast(written as decimal(38, 20)) else {short} end"
    found = f"case when written is not null then coalesce({_usable(f'round({number}, digits)')}, {_no_amount()}) end"
    return _once("written", f"_plain_number(sent, {of_source})", found)


def _usable(number: str) -> str:
    return _once("read", number, f"(case when abs(read) < {_LARGEST} then read end)::decimal(38, 6)")


def _no_amount() -> str:
    return f"{NO_AMOUNT}::decimal(38, 6)"


_IS_WHOLE = "units = floor(units)"


def _of_sale(then: str) -> str:
    """Returns SQL for an expression of what is paid for some units."""
    return _once("paid", "amount", _once("units", "quantity", then))


def _price() -> str:
    """Returns SQL for a price. For a fraction of a unit, whose product is rounded to the cent, the amount is too."""
    number, parts = "(units * 10000)::hugeint", "(paid * 10000)::hugeint"
    exact = f"units * 10000 = {number} and paid * 10000 = {parts}"
    charged = f"(case when {_IS_WHOLE} then {parts} else ({parts} + 99) // 100 * 100 end)"
    price = (
        f"case when {number} > 0 and {parts} >= 0 and {exact} then ({charged} * 10000 + {number} - 1) // {number} end"
    )
    return f"coalesce((({price})::decimal(18, 0) * 0.0001)::decimal(18, 4), {NO_AMOUNT}::decimal(18, 4))"


def _rounding() -> str:
    charged = f"case when {_IS_WHOLE} then product::decimal(38, 6) else round(product, 2)::decimal(38, 6) end"
    return _once("product", f"({_price()}) * units", f"(({charged}) - paid)::decimal(38, 6)")


def _moment(text: str, zone: str) -> str:
    read = f"({moment_of(f'trim({text})', zone)} at time zone 'UTC')"
    return f"case when trim(sent) <> '' then coalesce({read}, {NO_MOMENT}) end"


def _epoch(unit: str) -> str:
    micros = " ".join(f"when {literal(name)} then {factor}" for name, factor in MICROSECONDS.items())
    moment = moment_since_epoch("sent", f"case {unit} {micros} end")
    return f"case when trim(sent::varchar) <> '' then coalesce({moment}, {NO_MOMENT}) end"
