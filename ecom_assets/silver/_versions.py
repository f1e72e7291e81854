"""Versions of a feed's rows, by the day on which they arrived."""

from collections.abc import Iterable, Sequence

import narwhals as nw


def last_of_day(rows: nw.LazyFrame, *, key: Sequence[str], order: Iterable[str]) -> nw.LazyFrame:
    """Returns, of the versions of a key that arrived on a day, the one that counts at its end.

    Args:
        rows: Versions with the columns `arrived_on`, `source_file` and `record`.
        key: The columns that versions of a row share.
        order: The columns that say which version is the later; of equal ones the last in the files counts.
    """
    place = [*order, "source_file", "record"]
    is_last = nw.col("record").shift(-1).over("arrived_on", *key, order_by=place).is_null()
    return rows.with_columns(_is_last=is_last).filter("_is_last")
