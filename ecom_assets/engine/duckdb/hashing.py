"""Hashes of rows and keys in DuckDB."""

from collections.abc import Iterable, Mapping, Sequence

from ecom_assets.declaration import Declaration
from ecom_assets.engine.duckdb.tables import columns_of
from ecom_assets.landing.provenance import DERIVED, ORIGIN, TechnicalColumn
from ecom_assets.sql import literal, quoted

_HASH_DIGITS = 9


def key_hash_of(parts: Sequence[str]) -> str:
    """Returns SQL for a hash of the texts of a key's parts.

    Numbered keys have hashes near each other, so that a search for the keys of a day skips the row groups of other
    days. Few other texts end in so many digits.
    """
    plain = f"hash({', '.join(parts)})"
    number = rf"try_cast(regexp_extract({parts[0]}, '\d{{7,12}}$') as ubigint)"
    return f"coalesce(({number} << 24) | ({plain} >> 40), {plain})"


def row_hash(columns: Mapping[str, str]) -> str:
    """Returns SQL for a hash over (column name, value) of the non-null columns, in any order.

    An added column changes nothing if it is null. Floats are rounded first. Each column's hash is hashed again:
    DuckDB's hash of a name and a value is the XOR of their hashes, so equal values of two columns would cancel out, and
    swapped ones would not show.
    """
    combined = "0::ubigint"
    for name, sql_type in sorted(columns.items()):
        value = f"round({quoted(name)}, {_HASH_DIGITS})" if sql_type == "DOUBLE" else quoted(name)
        one = f"case when {quoted(name)} is null then 0::ubigint else hash(hash({literal(name)}, {value})) end"
        combined = f"xor({combined}, {one})"
    return f"hash({combined})"


def content_hash(declaration: Declaration) -> str:
    """Returns SQL for the hash of what counts as a row's content.

    In bronze that is all but what is derived; in tables from a feed, all but where the row came from.
    """
    beside: Iterable[TechnicalColumn] = ()
    if declaration.feed:
        beside = DERIVED if declaration.is_bronze else ORIGIN
    left_out = {column.name for column in beside}
    return row_hash({name: kind for name, kind in columns_of(declaration).items() if name not in left_out})
