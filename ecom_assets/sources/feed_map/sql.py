"""The SQL that makes a feed's rows from the lines of an export."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import duckdb

from ecom_assets.engine.duckdb.parsing import moment_of, moment_text, written_day
from ecom_assets.landing.reading import PROBLEM, RAW
from ecom_assets.sources.feed_map.model import Feed, NumberFormat, ordinals_of
from ecom_assets.sql import connect, identifier, literal, literals

OPERATORS = {
    "equals": "{text} = {given}",
    "one_of": "{text} in ({given})",
    "not_equals": "{text} <> {given}",
    "starts_with": "starts_with({text}, {given})",
    "not_starts_with": "not starts_with({text}, {given})",
    "ends_with": "ends_with({text}, {given})",
    "contains": "contains({text}, {given})",
    "matches": "regexp_full_match({text}, {given})",
    "greater": "coalesce({number} > {limit}, false)",
    "greater_or_equal": "coalesce({number} >= {limit}, false)",
    "less": "coalesce({number} < {limit}, false)",
    "less_or_equal": "coalesce({number} <= {limit}, false)",
}
"""The operators of conditions. An absent value is an empty text, and not a number."""

MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
"""Microseconds in the units of time since 1970."""
EPOCHS = {"epoch": MICROSECONDS["s"], "epoch_ms": MICROSECONDS["ms"], "epoch_us": MICROSECONDS["us"]}
"""Time formats that count from 1970-01-01 UTC, with the microseconds of their unit."""
_EPOCH_MICROSECONDS = (10**14, 10**17)
"""Microseconds since 1970, of 1973 and 5138: of several units, the one counts by which a number is between them."""
_COMPARED = "DECIMAL(28, 9)"
_ROUNDED = r"'\.\d{6}\d*[1-9]|[eE]'"
"""A pattern for numbers with more than six decimals, or with an exponent, which might have them."""
_TRIED = {"time_format": "try_strptime('', {})", "matches": "regexp_full_match('', {})"}
"""SQL that tests whether a key's text is valid."""


PLACE = '"place of line"'
"""The column of `lines_read` that orders all lines: by the first day of their file, its name, and their record."""


def statement(feed: Feed, *, with_unreadable: bool) -> str:
    """Returns the SQL that makes a feed's rows from the lines."""
    within = "" if feed.adds else "source_file, "
    numbered = "".join(
        f", row_number() over (partition by {within}{listed(keys)} order by {PLACE}) as {_ordinal(keys)}"
        for keys in ordinals_of(feed)
    )
    values = ", ".join(
        f"{_taken(value, bool(feed.group_by), within, _compared(name, feed))} as {identifier(name)}"
        for name, value in feed.columns.items()
    )
    origin, group = "arrived_on, source_file, record", ""
    if feed.group_by:
        origin = ", ".join(f"arg_min({name}, {PLACE}) as {name}" for name in origin.split(", "))
        group = f"group by {within}{listed(feed.group_by)}"
    moments = ", ".join(
        f"{moment_text(identifier(name), feed.source.time_zone)} as {identifier(name)}" for name in feed.moments
    )
    unreadable = f"""
        union all by name
        select arrived_on, source_file, record, problem as {PROBLEM}, raw_record as {RAW}
        from lines_read where problem is not null"""
    return f"""
        with readable as (select *{numbered} from lines_read where problem is null),
        rows_made as (
            select {origin}, {values},
                NULL::VARCHAR as {PROBLEM}, NULL::VARCHAR as {RAW}
            from readable where {condition_of_all(feed.where)} {group}
            {unreadable if with_unreadable else ""}
        )
        select * exclude (record) {f"replace ({moments})" if moments else ""} from rows_made
        order by source_file, record"""


def with_unreadable(rows: str, is_wanted: bool) -> str:
    """Returns the SQL of rows with an origin as they land, with the unreadable lines if they are wanted."""
    more = f"""
        union all by name
        select arrived_on, source_file, record, problem as {PROBLEM}, raw_record as {RAW}
        from lines_read where problem is not null"""
    return f"""
        select * exclude (record) from (
            select origin.arrived_on as arrived_on, origin.source_file as source_file, origin.record as record,
                * exclude (origin), NULL::VARCHAR as {PROBLEM}, NULL::VARCHAR as {RAW}
            from ({rows})
            {more if is_wanted else ""}
        ) made order by source_file, made.record, made::VARCHAR"""


def _compared(name: str, feed: Feed) -> Callable[[str], str]:
    """Returns what makes, of the SQL of a column's text, that of the moment or number by which it is compared."""
    zone = literal(feed.source.time_zone)
    return (lambda text: moment_of(f"trim({text})", zone)) if name in feed.moments else _decimal


def _taken(value: Mapping[str, Any], grouped: bool, within: str, compared: Callable[[str], str]) -> str:
    """Returns the SQL of a value as it lands: of a line, of a group, or over other lines."""
    text = _text_of_line(value)
    if not grouped and "over" not in value:
        return text
    over = f" over (partition by {within}{listed(value['over'])})" if "over" in value else ""
    is_none = f"{compared(text)} is null and trim({text}) <> ''"
    match value.get("take", "first"):
        case "min" | "max" as side:
            of_texts = f"{side}({text}) filter ({is_none}){over}"
            return f"coalesce({of_texts}, arg_{side}({text}, {compared(text)}){over})"
        case "sum":
            of_texts = f"min({text}) filter ({is_none}){over}"
            return f"coalesce({of_texts}, {_plain(f'sum({_decimal(text)}){over}')})"
        case "count":
            return f"(count({text}){over})::VARCHAR"
        case _:
            return f"arg_min({text}, {PLACE}){over}"


def _text_of_line(value: Mapping[str, Any]) -> str:
    """Returns the SQL of a value for one line, before any aggregation over lines."""
    sql = "NULL::VARCHAR"
    if "from" in value:
        sql = identifier(value["from"])
    elif "constant" in value:
        sql = f"{literal(str(value['constant']))}::VARCHAR"
    elif "multiply" in value:
        sent = " || ' * ' || ".join(identifier(name) for name in value["multiply"])
        product = " * ".join(_decimal(identifier(name)) for name in value["multiply"])
        sql = f"coalesce({_plain(f'try({product})')}, {sent})"
    elif "concat" in value:
        sql = " || ".join(
            literal(part["text"])
            if isinstance(part, dict) and "text" in part
            else f"{_ordinal(part['ordinal'])}::VARCHAR"
            if isinstance(part, dict)
            else identifier(part)
            for part in value["concat"]
        )
    elif "ordinal" in value:
        sql = f"{_ordinal(value['ordinal'])}::VARCHAR"
    if suffix := value.get("strip_suffix"):
        sql = f"case when ends_with({sql}, {literal(suffix)}) then {sql}[:-{len(suffix) + 1}] else {sql} end"
    if time_format := value.get("time_format"):
        sql = f"coalesce({', '.join([*_read_moments(sql, time_format), sql])})"
    if values := value.get("values"):
        cases = " ".join(f"when {literal(sent)} then {literal(str(ours))}" for sent, ours in values.items())
        sql = f"case {sql} {cases} else {sql} end"
    if value.get("negate"):
        sql = f"coalesce({_plain('-' + _decimal(sql))}, {sql})"
    if value.get("abs"):
        sql = f"coalesce({_plain(f'abs({_decimal(sql)})')}, {sql})"
    if conditions := value.get("when"):
        cases = " ".join(f"when {_condition(each)} then {literal(each['then'])}" for each in conditions)
        sql = f"case {cases} else {sql} end"
    return sql


def condition_of_all(conditions: Sequence[Mapping[str, Any]]) -> str:
    """Returns the SQL of whether a line meets every condition."""
    return "(" + (" and ".join(_condition(each) for each in conditions) or "true") + ")"


def _condition(condition: Mapping[str, Any]) -> str:
    column = identifier(condition["column"])
    operator = next(name for name in condition if name in OPERATORS or name == "is_null")
    if operator == "is_null":
        return f"{column} is {'' if condition['is_null'] else 'not '}null"
    named = condition[operator]
    given = literals(map(str, named)) if operator == "one_of" else literal(str(named))
    return OPERATORS[operator].format(
        text=f"coalesce({column}, '')",
        given=given,
        number=f"try_cast({column} as {_COMPARED})",
        limit=f"{given}::{_COMPARED}",
    )


def day_of_line(arrival_day: Mapping[str, Any]) -> str:
    """Returns the SQL of a line's arrival day. Lines without one get the first of their file."""
    column = arrival_day.get("column") or arrival_day.get("first")
    if column is None:
        return "arrived_on"
    own = f"({written_day(identifier(column), 'TIMESTAMP')})::DATE"
    if time_format := arrival_day.get("time_format"):
        read = f"coalesce({', '.join([*_read_moments(identifier(column), time_format), 'NULL'])})"
        own = f"({written_day(read, 'TIMESTAMP')})::DATE"
    own = f"case when {own} between date '0001-01-02' and date '9999-12-31' then {own} end"
    first = f"min({own}) over (partition by source_file)"
    return f"coalesce({own}, {first}, arrived_on)" if "column" in arrival_day else f"coalesce({first}, arrived_on)"


def why_no_day(arrival_day: Mapping[str, Any]) -> str:
    """Returns the SQL, over the lines of a file, of why they have no arrival day; empty if they need none."""
    column = arrival_day.get("column") or arrival_day.get("first")
    if column is None:
        return "''"
    form = literal(f" as {arrival_day['time_format']}" if "time_format" in arrival_day else "")
    example = f"any_value({identifier(column)})"
    return f"""
        {literal(f"no line has an arrival day in {column}")} ||
        coalesce(' (' || {example} || ' cannot be read as a day' || {form} || '; set time_format)', '')"""


def unread_values(feeds: Iterable[Feed]) -> str:
    """Returns the SQL, over the lines of a file, of the notes on columns of which some values are not read."""
    notes = []
    for feed in feeds:
        for name, value in feed.columns.items():
            if "from" not in value or not ("time_format" in value or name in feed.numbers):
                continue
            sent = _text_of_line({key: value[key] for key in ("from", "strip_suffix") if key in value})
            some = f"{condition_of_all(feed.where)} and trim({sent}) <> ''"
            if form := value.get("time_format"):
                forms = form if isinstance(form, str) else " or ".join(form)
                unread = f"coalesce({', '.join([*_read_moments(sent, form), 'NULL'])}) is null"
                notes.append(unfit_note(f"{feed.name}.{name}: {forms}", sent, "record", some, f"{some} and {unread}"))
            elif "values" not in value:
                mark = "" if feed.source.number_format.decimal == "." else f" with {feed.source.number_format.decimal}"
                unread = f"try_cast({sent} as double) is null"
                what = f"{feed.name}.{name}: a number{mark}"
                notes.append(unfit_note(what, sent, "record", some, f"{some} and {unread}"))
    return noted(notes)


def unfit_note(what: str, sent: str, record: str, some: str, unfit: str) -> str:
    """Returns the SQL, over the lines of a file, of a note that something fits some values only; null if it fits all.

    All are SQL: `sent` the text, `record` its place, `some` whether there is one, `unfit` whether it does not fit.
    """
    odd = f"count(*) filter ({unfit})"
    fits = f"count(*) filter ({some}) - {odd} || ' of ' || count(*) filter ({some})"
    first = f"'record ' || min({record}) filter ({unfit}) || ', ' || arg_min({sent}, {record}) filter ({unfit})"
    told = f"{literal(f'{what} fits ')} || {fits} || ' values; first other: ' || {first}"
    return f"case when {odd} > 0 then {told} end"


def noted(notes: Sequence[str]) -> str:
    """Returns the SQL of the list of notes that there are."""
    return f"list_filter([{', '.join(notes)}]::varchar[], lambda x: x is not null)"


def _read_moments(text: str, time_format: str | Sequence[str]) -> list[str]:
    """Returns the SQL of the moments, as text, that a text writes in each of some formats; null if it does not.

    Any number fits each unit since 1970, so that several units are told apart by size.
    """
    formats = [time_format] if isinstance(time_format, str) else time_format
    several = len(EPOCHS.keys() & set(formats)) > 1
    return [
        f"{_moment_of_size(text, EPOCHS[form]) if several else moment_since_epoch(text, str(EPOCHS[form]))}::VARCHAR"
        if form in EPOCHS
        else f"try_strptime({text}, {literal(form)})::VARCHAR"
        for form in formats
    ]


def _moment_of_size(text: str, microseconds: int) -> str:
    """Returns the SQL of the moment so many units after 1970 if no other unit gives it a likelier size; else null."""
    low, high = (limit // microseconds for limit in _EPOCH_MICROSECONDS)
    size = f"abs(try_cast({text} as DECIMAL(38, 6)))"
    return f"case when {size} >= {low} and {size} < {high} then {moment_since_epoch(text, str(microseconds))} end"


def moment_since_epoch(text: str, microseconds: str) -> str:
    """Returns the SQL of the moment so many units after 1970 that a text writes, of so many microseconds; else null."""
    return f"try(make_timestamptz((try_cast({text} as DECIMAL(38, 6)) * {microseconds})::BIGINT))"


def number_text(column: str, number_format: NumberFormat) -> str:
    """Returns the SQL of a number's text with a decimal point and without thousands separators.

    A text with a point that the number format does not allow gets a note, so that it is not read as a wrong number.
    """
    text, between = f"trim({identifier(column)})", number_format.thousands
    whole = rf"(\d{{1,3}}({re.escape(between)}\d{{3}})+|\d*)" if between else r"\d*"
    plain = f"replace({text}, {literal(between)}, '')" if between else text
    plain = f"replace({plain}, {literal(number_format.decimal)}, '.')"
    otherwise = identifier(column)
    if number_format.decimal != ".":
        note = literal(f" (the decimal separator is {number_format.decimal})")
        otherwise = f"{otherwise} || case when contains({otherwise}, '.') then {note} else '' end"
    pattern = literal(rf"[+-]?{whole}({re.escape(number_format.decimal)}\d*)?")
    return f"case when regexp_full_match({text}, {pattern}) then {plain} else {otherwise} end"


@cache
def refusal(key: str, text: str) -> str | None:
    """Returns DuckDB's error for a `time_format` or a regular expression, or None."""
    with connect() as con:
        try:
            con.execute(f"select {_TRIED[key].format(literal(text))}").fetchall()
        except duckdb.Error as error:
            return str(error)
    return None


def listed(columns: Iterable[str]) -> str:
    """Returns the SQL of a list of columns."""
    return ", ".join(map(identifier, columns))


def _decimal(text: str) -> str:
    """Returns the SQL of a text's number; null if it is not a number, or would be rounded."""
    return f"case when not regexp_matches({text}, {_ROUNDED}) then try_cast({text} as DECIMAL(18, 6)) end"


def _plain(number: str) -> str:
    """Returns the SQL of a decimal's text without trailing zeros."""
    return f"regexp_replace(({number})::VARCHAR, '\\.?0*$', '')"


def _ordinal(keys: Sequence[str]) -> str:
    return identifier("ordinal of " + ", ".join(keys))
