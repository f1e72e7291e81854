"""Parsing of text in DuckDB: the spellings of each type, and the reasons for others."""

import datetime as dt
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import narwhals as nw

from ecom_assets.contract import AMOUNT_DIGITS, EXTRA, STORE, WORDS_FOR_NOTHING, Column, FeedContract, Kind, Promise
from ecom_assets.days import Window
from ecom_assets.declaration import Declaration
from ecom_assets.engine.duckdb.hashing import key_hash_of
from ecom_assets.landing.provenance import LANDED, ORIGIN, column_list
from ecom_assets.sql import between, connect, json_pointer, literal, literals, named_between, quoted

ValueRule = tuple[Mapping[str, str], Mapping[str, str]]
"""Patterns of columns, and the values of others where all of them are met."""

_INTEGER_DIGITS = 9
_QUANTITY_DECIMALS = 4
"""Where a shop's amounts are rounded, its quantities are too, but only to what can be stored."""
_DAYS = ("date '1000-01-01'", "date '9999-12-31'")
_MOMENTS = ("timestamp '1000-01-02'", "timestamp '9999-12-30'")
"""Limits that keep the business day of each timestamp within the limits of days, in every time zone."""
_KIND_WORDS: Mapping[Kind, str] = {
    "integer": f"not a whole number of at most {_INTEGER_DIGITS} digits",
    "decimal": f"not a number with at most {AMOUNT_DIGITS} digits before and 4 after the point",
    "rate": "not a rate of at most 8 digits before the point",
    "date": "not a day like 2024-01-31 in the years 1000 to 9999",
    "timestamp": "not a timestamp like 2024-01-31T10:00:00Z in the years 1000 to 9999",
    "float": "not a number",
    "boolean": "not one of true, false, yes, no, y, n, t, f, 1, 0",
}
_TRUE, _FALSE = "('true', 'yes', 'y', 't', '1')", "('false', 'no', 'n', 'f', '0')"
_NAMED_ZONE = r"[A-Za-z_]+/[A-Za-z_/+\d-]+"
_ZONE = rf"(Z|UTC|GMT|[+-]\d\d(:?\d\d)?|{_NAMED_ZONE})"
"""The spellings of a timestamp's offset. Other abbreviations are ambiguous, or rarely meant."""
_WRITTEN_MOMENT = rf"(?i)^\s*\d+[-/ \\]\d+[-/ \\]\d+\s*([T ]\s*\d+(:\d+){{1,2}}(\.\d*)?\s*{_ZONE}?)?\s*$"
_WRITTEN_DAY = r"^\s*\d+[-/ \\]\d+[-/ \\]\d+\s*(Z?$|[T +-]\s*\d)"
_MIDNIGHT = rf"(?i)^\s*\d+[-/ \\]\d+[-/ \\]\d+\s*([T ]\s*0+(:0+){{1,2}}(\.0*)?\s*{_ZONE}?)?\s*$"
"""The spellings of a bare day: one without a time, or with the time that a database adds to it."""
_FLOAT = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"


def _within(value: str, first: str, last: str) -> str:
    """Returns SQL for a value that lies between two others, otherwise null."""
    return f"case when {value} between {first} and {last} then {value} end"


def written_day(text: str, sql_type: str) -> str:
    """Returns SQL for the day or timestamp that a text writes in digits, otherwise null.

    DuckDB's casts accept words too, such as epoch and infinity, and any text after a day.
    """
    return f"case when regexp_matches({text}, '{_WRITTEN_DAY}') then try_cast({text} as {sql_type}) end"


def _moment(text: str, time_zone: str) -> str:
    """Returns SQL for text to a naive UTC timestamp; texts without offset are in the time zone."""
    return _with_zone(text) if time_zone == "UTC" else moment_of(text, literal(time_zone))


def moment_of(text: str, zone: str) -> str:
    """Returns SQL for text to a naive UTC timestamp; texts without offset are in the zone, which is SQL too.

    Years without four digits are not timestamps: computations with them overflow.
    """
    plain = _within(f"try_cast({_written(text)} as timestamp)", *_MOMENTS)
    local = f"(timezone({zone}, {plain}) at time zone 'UTC')"
    return f"case when {_has_zone(text)} then {_with_zone(text)} else {local} end"


def _written(text: str) -> str:
    return f"case when regexp_matches({text}, '{_WRITTEN_MOMENT}') then {text} end"


def _with_zone(text: str) -> str:
    # At the very end of the range even try_cast raises.
    spellings = _written(text), _as_duckdb_writes(_written(text))
    read = ", ".join(f"try(try_cast({spelling} as timestamptz))" for spelling in spellings)
    return _within(f"(coalesce({read}) at time zone 'UTC')", *_MOMENTS)


def _has_zone(text: str) -> str:
    return rf"regexp_matches({text}, '(?i):\d+(\.\d*)?\s*{_ZONE}\s*$')"


def _as_duckdb_writes(written: str) -> str:
    """Returns SQL for a timestamp with seconds, and without white space before its offset, as DuckDB's cast demands."""
    joined = rf"regexp_replace({written}, '\s+([+-]\d\d(:?\d\d)?)\s*$', '\1')"
    return rf"regexp_replace({joined}, '([T ]\s*\d+:\d+)([+-]\d\d(:?\d\d)?|Z|z)$', '\1:00\2')"


def _business_day(moment: str, time_zone: str) -> str:
    if time_zone == "UTC":
        return f"{moment}::date"
    return f"timezone({literal(time_zone)}, timezone('UTC', {moment}))::date"


def latest_moment(moment: str, text: str, feed_zone: str, shop_zone: str) -> str:
    """Returns SQL for the last moment that a timestamp can mean: the end of its day if only the day was sent.

    Only the day was sent if the text has no time, or is midnight as written or in the shop's time zone.
    """

    def local(zone: str) -> str:
        return moment if zone == "'UTC'" else f"timezone({zone}, timezone('UTC', {moment}))"

    def end_of_day(zone: str) -> str:
        next_day = f"(date_trunc('day', {local(zone)}) + interval 1 day)"
        if zone != "'UTC'":
            next_day = f"timezone('UTC', timezone({zone}, {next_day}))"
        return f"{next_day} - interval 1 microsecond"

    ours, theirs = literal(shop_zone), literal(feed_zone)
    own = f"regexp_extract({text}, '({_NAMED_ZONE})\\s*$', 1)"

    # Cheap to tell of most moments: all time zones of today are whole quarters of an hour from UTC.
    return f"""case when {moment} is null or epoch_us({moment}) % 900000000 <> 0 then {moment}
        when regexp_matches({text}, '{_MIDNIGHT}') then
            case when not {_has_zone(text)} then {end_of_day(theirs)}
                 when {own} <> '' then {end_of_day(own)}
                 else {moment} + interval 1 day - interval 1 microsecond end
        when {local(ours)}::time = time '00:00:00' then {end_of_day(ours)}
        else {moment} end"""


def moment_text(text: str, time_zone: str) -> str:
    """Returns SQL for the text of a timestamp in UTC, with its offset; the text itself if it is not a timestamp.

    Texts without offset are in the time zone. A bare day stays one, `latest_moment` knows it: it is its midnight in the
    zone that it is in.
    """
    moment = _moment(f"trim({text})", time_zone)
    in_utc = f"coalesce({moment}::varchar || '+00', {text})"
    in_zone = f"{written_day(f'trim({text})', 'date')}::varchar || {literal(f' 00:00:00 {time_zone}')}"
    if not re.fullmatch(_NAMED_ZONE, time_zone):
        in_zone = "null"
    kept = f"case when {_has_zone(text)} and {moment}::time <> time '00:00:00' then trim({text})"
    kept += f" when not {_has_zone(text)} then {in_zone} end"
    return (
        f"coalesce(case when regexp_matches({text}, '{_MIDNIGHT}') and {moment} is not null then {kept} end, {in_utc})"
    )


def midnight_text(moment: str, time_zone: str) -> str:
    """Returns SQL for the text of a moment with time zone that begins a day in a zone, as that; otherwise null."""
    if not re.fullmatch(_NAMED_ZONE, time_zone):
        return "null::varchar"
    day = f"({moment} at time zone {literal(time_zone)})::date"
    is_bare = f"isfinite({moment}) and {day}::timestamp at time zone {literal(time_zone)} = {moment}"
    return f"case when {is_bare} then {day}::varchar || {literal(f' 00:00:00 {time_zone}')} end"


def typed_value(column: Column, feed_zone: str) -> str:
    """Returns SQL for the typed value of the text in a column of that name, null if it cannot be read."""
    text = f"nullif(trim({quoted(column.name)}), '')"
    match column.kind:
        case "text":
            return text_of(column)
        case "integer":
            whole = f"regexp_full_match({text}, '[+-]?0*\\d{{1,{_INTEGER_DIGITS}}}(\\.0*)?')"
            return f"case when {whole} then try_cast(split_part({text}, '.', 1) as bigint) end"
        case "decimal":
            before, after = f"\\d{{1,{AMOUNT_DIGITS}}}", "\\.\\d{1,4}0*"
            exact = f"regexp_full_match({text}, '[+-]?0*({before}\\.?|({before})?{after})')"
            return f"case when {exact} then try_cast({text} as decimal(18,4)) end"
        case "rate":
            number = f"try_cast({text} as decimal(38,10))"
            return (
                f"case when regexp_full_match({text}, '{_FLOAT}') and {number} < 1e8 then {number}::decimal(18,10) end"
            )
        case "date":
            # From 2.0 on, DuckDB's cast accepts no zone after a day.
            return _within(written_day(f"regexp_replace({text}, '\\s*Z$', '')", "date"), *_DAYS)
        case "timestamp":
            return _moment(text, feed_zone)
        case "float":
            number = f"try_cast({text} as double)"
            return f"case when regexp_full_match({text}, '{_FLOAT}') and isfinite({number}) then {number} end"
        case "boolean":
            return f"case when lower({text}) in {_TRUE} then true when lower({text}) in {_FALSE} then false end"


def _number(column: Column) -> str:
    """Returns SQL for the number that a text writes, with up to 18 decimals and an exponent; otherwise null."""
    text = f"trim({quoted(column.name)})"
    return f"case when regexp_full_match({text}, '{_FLOAT}') then try_cast({text} as decimal(38,18)) end"


def _rounded(column: Column, decimals: int) -> str:
    """Returns SQL for the amount or quantity that a text writes, rounded half away from zero."""
    number = f"round({_number(column)}, {_QUANTITY_DECIMALS if column.is_quantity else decimals})"
    return f"case when abs({number}) < 1e{AMOUNT_DIGITS} then {number}::decimal(18,4) end"


def rounded_count(columns: Iterable[Column], decimals: int) -> str:
    """Returns SQL for how many amounts of a row are rounded to that many decimals, or quantities to four."""
    changed = (f"({_rounded(column, decimals)} <> {_number(column)})" for column in columns if column.kind == "decimal")
    return " + ".join(["0", *(f"coalesce({one}::int, 0)" for one in changed)])


def complaints_of(texts: Iterable[str], column: Column, promised: Promise, feed_zone: str) -> Mapping[str, str]:
    """Returns the texts that would be quarantined in a column of a feed, by the column alone, with the reasons.

    White space and case of a text column do not count: some tables normalize them.
    """
    asked = list(dict.fromkeys(texts))
    if not asked:
        return {}
    spellings = [(text, text) for text in asked]
    if column.kind == "text":
        spellings += [(text, text.strip().lower()) for text in asked]
    name, sent = quoted(column.name), ", ".join(f"({literal(text)}, {literal(as_read)})" for text, as_read in spellings)
    typed = typed_value(replace(column, of_store=False), feed_zone)
    with connect() as con:
        rows = con.sql(f'select "as sent", {typed} as {name} from (values {sent}) t ("as sent", {name})')
        read = nw.from_native(rows.pl())
    rules = {}
    if unread := _KIND_WORDS.get(column.kind):
        is_blank = nw.col("as sent").str.strip_chars() == ""
        rules[f"{column.name} is {unread}"] = is_blank | ~nw.col(column.name).is_null()
    rules |= {rule.complaint.sentence: rule.holds for rule in promised.hard_rules if rule.column == column.name}
    found: dict[str, str] = {}
    for complaint, holds in rules.items():
        kept = set(read.filter(holds)["as sent"].to_list())
        found |= {text: complaint for text in asked if text not in kept and text not in found}
    return found


def text_of(column: Column) -> str:
    """SQL: what a column says, as text, without white space around it; null where it says nothing.

    A store's number has the store before it, if the row names one.
    """
    if column.of_store:
        store = text_of(Column(STORE, "text", True, "", words_for_nothing=True))
        return f"(coalesce({store} || ':', '') || {text_of(replace(column, of_store=False))})"
    text = stripped(_decoded(quoted(column.name)) if column.url_encoded else quoted(column.name))
    text = f"upper({text})" if column.capital else text
    if not column.words_for_nothing:
        return f"nullif({text}, '')"
    return f"case when lower({text}) not in ('', {literals(WORDS_FOR_NOTHING)}) then {text} end"


def _decoded(text: str) -> str:
    """Returns SQL for a text as it was before it was written into an address; the text itself if it was not."""
    decoded = f"coalesce(try(url_decode(replace({text}, '+', ' '))), {text})"
    is_encoded = f"contains({text}, '%') and regexp_matches({text}, '%[0-9A-Fa-f]{{2}}')"
    return f"(case when {is_encoded} then {decoded} else {text} end)"


def _ruled(column: Column, rules: Sequence[ValueRule]) -> str:
    """Returns SQL for the value that the first rule gives a column whose conditions typed values meet; null without."""
    cases = [
        (" and ".join(_meets(name, pattern) for name, pattern in when.items()), literal(then[column.name]))
        for when, then in rules
        if column.name in then
    ]
    whens = " ".join(f"when {condition} then {value}" for condition, value in cases)
    return f"case {whens} end" if cases else "null::varchar"


def _meets(name: str, pattern: str) -> str:
    """Returns SQL for whether a text is like a pattern, in any case: * stands for any text, nothing for no value."""
    escaped = pattern.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
    text = f"lower(coalesce({quoted('typed ' + name)}::varchar, ''))"
    return f"{text} like {literal(escaped)} escape '\\'"


def stripped(text: str) -> str:
    """Returns SQL for a text without surrounding white space. Checking both ends first is cheaper than stripping."""
    has_some = f"least(ord({text}), ord(right({text}, 1))) <= {ord(' ')}"
    return f"(case when {has_some} then trim({text}, {literal(string.whitespace)}) else {text} end)"


def _spelled_alike(column: Column, feed_zone: str) -> str:
    """Returns SQL for one text for all spellings of a value; the text itself if it cannot be read."""
    return f"coalesce(({typed_value(column, feed_zone)})::varchar, {quoted(column.name)})"


def bronze_query(
    landed: str, feed: FeedContract, group: Sequence[str], feed_zone: str, shop_zone: str, calendar: Window
) -> str:
    """Returns SQL for landed records with their event day and a hash of `group`: their key, or columns of it.

    A record whose event day is unreadable, outside the calendar or more than a day after its arrival is
    read under its arrival day. A version from before the calendar is the state at its start: its event day is
    the first day. Equal keys have equal hashes; the reverse need not hold. The hash is null if
    the record cannot be read or lacks a part of its key.
    """
    event = feed.columns[feed.event_column]
    happened = typed_value(event, feed_zone)
    happened_on = happened if event.kind == "date" else _business_day(f"({happened})", shop_zone)
    if feed.is_versioned:
        first = f"date '{calendar.first}'"
        happened_on = f"case when {happened_on} < {first} then {first} else {happened_on} end"
    key = key_hash_of([_spelled_alike(feed.columns[name], feed_zone) for name in group])
    has_key = " and ".join(f"{text_of(feed.columns[name])} is not null" for name in feed.primary_key)
    named = ", ".join(quoted(column) for column in feed.columns)
    kept = column_list(LANDED)
    last_day = "arrived_on + 1"
    if calendar.last != dt.date.max:
        last_day = f"least({last_day}, date '{calendar.last}')"
    usable = f"happened_on between date '{calendar.first}' and {last_day}"
    return f"""
        select {named}, {kept}, case when {usable} then happened_on end as event_on,
               coalesce(case when {usable} then happened_on end, arrived_on) as read_on, key_hash
        from (select {named}, {kept}, {happened_on} as happened_on,
                     case when problem is null and {has_key} then {key} end as key_hash
              from {landed})"""


def reason_sql(code: str, sentence: str) -> str:
    """Returns SQL for a reason of a row; its sentence is SQL too."""
    return f"{{'code': {literal(code)}, 'sentence': {sentence}}}"


def useless_day_codes(event: Column) -> list[str]:
    """Returns the codes of the reasons against a record without a usable event day, an unreadable one first."""
    return [f"{event.name}_{code}" for code in ("no_day", "too_early", "too_late")]


def _useless_days(event: Column, shop_zone: str, calendar: Window) -> dict[str, str]:
    """Returns SQL for when a record does not say on which of our days it happened, and the reason against it."""
    happened = quoted(f"typed {event.name}")
    on = happened if event.kind == "date" else _business_day(happened, shop_zone)
    early = f"{on} < date '{calendar.first}'"
    useless = "problem is null and event_on is null"
    whens = [
        (f"{happened} is null", "has no usable day"),
        (early, f"is before the calendar's first day, {calendar.first}"),
        (f"not {early}", "is later than its arrival or the calendar's last day"),
    ]
    return {
        f"{useless} and {when}": reason_sql(code, literal(f"{event.name} {words}"))
        for code, (when, words) in zip(useless_day_codes(event), whens, strict=True)
    }


def parse_query(
    declaration: Declaration,
    window: Window,
    rivals: str,
    feed_zone: str,
    shop_zone: str,
    calendar: Window,
    own_columns: Mapping[str, Kind],
    round_amounts: int | None,
    rules: Sequence[ValueRule],
    by: str = "read_on",
) -> str:
    """Returns SQL for bronze rows by event day, typed, each with its origin and what could not be read of it.

    Business days of moments come along, by the shop's time zone, and the last moments that they can mean.

    Rows of other days whose key is in the window too come along, as they may win over it: `rivals` is SQL for the
    arrived_on, source_file and record of these, empty if there cannot be any.

    `by` is the column with the day of the window: read_on for the event day, arrived_on for the arrival day.
    `own_columns` are those that the shop declared beside the feed's, with their kinds. The column `extra` holds their
    values as JSON; null if none has one. With `round_amounts`, the feed's amounts are rounded to so many decimals, and
    its quantities to four, half away from zero; otherwise one with more than four cannot be read. `rules` give values
    to columns that allow it.
    """
    feed = declaration.feed_contract
    columns = list(feed.columns.values())
    own = [Column(f"own {name}", kind, True, "") for name, kind in own_columns.items()]

    def read(c: Column) -> str:
        if round_amounts is None or c.kind != "decimal" or c in own:
            return typed_value(c, feed_zone)
        return _rounded(c, round_amounts)

    bronze = quoted(declaration.bronze)
    texts = ", ".join(f"{quoted(c.name)}, {read(c)} as {quoted('typed ' + c.name)}" for c in (*columns, *own))
    read_or_ruled = {
        c.name: quoted("typed " + c.name)
        if c.by_rule is None
        else f"coalesce({quoted('typed ' + c.name)}, {_ruled(c, rules)})"
        for c in columns
    }
    typed = ", ".join(f"{value} as {quoted(name)}" for name, value in read_or_ruled.items())
    for c in declaration.contract.columns.values():
        if c.by_rule is not None and c.name not in feed.columns:
            typed += f", {_ruled(c, rules)} as {quoted(c.name)}"
    for c in declaration.contract.columns.values():
        if c.day_of:
            typed += f", {_business_day(quoted('typed ' + c.day_of), shop_zone)} as {quoted(c.name)}"
        if c.latest_of:
            latest = latest_moment(quoted("typed " + c.latest_of), quoted(c.latest_of), feed_zone, shop_zone)
            typed += f", {latest} as {quoted(c.name)}"
        if c.original_of:
            typed += f", null::decimal(18,4) as {quoted(c.name)}"
    if EXTRA in declaration.contract.columns:
        values = ", ".join(f"{literal(name)}, {quoted('typed own ' + name)}" for name in own_columns)
        with_values = f"nullif(json_merge_patch('{{}}', json_object({values}))::varchar, '{{}}')"
        typed += f", {with_values if own else 'null::varchar'} as {EXTRA}"
    complaints = {
        "problem is not null": reason_sql("unreadable_record", "problem"),
        **_useless_days(feed.columns[feed.event_column], shop_zone, calendar),
    }
    for c, name in zip((*columns, *own), (*feed.columns, *own_columns), strict=True):
        if c.kind != "text":
            unread = f"{quoted('typed ' + c.name)} is null and nullif(trim({quoted(c.name)}), '') is not null"
            complaints[unread] = reason_sql(f"{name}_unreadable", literal(f"{name} is {_KIND_WORDS[c.kind]}"))
    cases = ", ".join(f"case when {when} then {what} end" for when, what in complaints.items())
    some = " or ".join(f"({when})" for when in complaints)
    origin = column_list(ORIGIN)
    from_other_days = f"select b.* from {bronze} b join ({rivals}) r using ({origin})"
    rows = f"select * from {bronze} where {between(by, window)} and {named_between('arrived_on', calendar)}"
    if rivals:
        rows = f"{rows} union all {from_other_days}"
    if own:
        sent = ", ".join(f"unknown_columns ->> {json_pointer(name)} as {quoted('own ' + name)}" for name in own_columns)
        rows = f"select *, {sent} from ({rows})"
    return f"""
        select {typed}, read_on as {quoted(declaration.contract.partition_column)},
               {origin},
               case when {some} then list_filter([{cases}], lambda x: x is not null) end as problems
        from (select {texts}, read_on, event_on, problem, {origin} from ({rows}))"""
