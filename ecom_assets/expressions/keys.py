"""Surrogate keys made of identity and start of validity."""

import narwhals as nw


def key_at(identity: str, moment: str) -> nw.Expr:
    """Returns the text of an identity and a naive timestamp, e.g. "C00012@2024-01-05T10:11:12.000000"."""
    microseconds = len("2024-01-05T10:11:12.000000")  # Polars writes nanoseconds, DuckDB does not.
    text = nw.col(moment).dt.to_string("%Y-%m-%dT%H:%M:%S.%f").str.slice(0, microseconds)
    return nw.concat_str(nw.col(identity), nw.lit("@"), text)
