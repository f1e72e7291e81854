"""Named defects of rows or of the text of a file. Planted defects are recorded, so that detection can be measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import polars.selectors as cs

from ecom_assets.shop.draws import generator


@dataclass(frozen=True)
class SpoiledRows:
    """Rows of which some are spoiled: `places` says which, from 0, and `column` where."""

    fault: str
    rows: pl.DataFrame
    places: tuple[int, ...]
    column: str


@dataclass(frozen=True)
class SpoiledText:
    """A file's text of which some lines are spoiled: `lines` says which, from 1."""

    fault: str
    text: str
    lines: tuple[int, ...]


Fault = Callable[[pl.DataFrame, float, int], SpoiledRows]


def negative_quantity(rows: pl.DataFrame, share: float, seed: int) -> SpoiledRows:
    """Makes quantities negative."""
    return _replaced("negative_quantity", rows, "quantity", share, seed, -pl.col("quantity") - 1)


def negative_amount(rows: pl.DataFrame, share: float, seed: int) -> SpoiledRows:
    """Makes the first amount of the row negative."""
    column = rows.select(cs.decimal()).columns[0]
    return _replaced("negative_amount", rows, column, share, seed, -pl.col(column) - 1)


def null_key(rows: pl.DataFrame, share: float, seed: int) -> SpoiledRows:
    """Removes the value of the first column, the key."""
    return _replaced("null_key", rows, rows.columns[0], share, seed, pl.lit(None))


def unknown_product(rows: pl.DataFrame, share: float, seed: int) -> SpoiledRows:
    """Sets a product that no catalogue has."""
    return _replaced("unknown_product", rows, "product_id", share, seed, "X" + pl.col("product_id"))


def unknown_status(rows: pl.DataFrame, share: float, seed: int) -> SpoiledRows:
    """Sets a status that no contract allows."""
    return _replaced("unknown_status", rows, "status", share, seed, pl.lit("lost"))


def wrong_total(rows: pl.DataFrame, share: float, seed: int) -> SpoiledRows:
    """Makes the total six cents more than its parts: a cent more than is put down to rounding."""
    return _replaced(
        "wrong_total", rows, "total", share, seed, pl.col("total") + pl.lit("0.06").cast(pl.Decimal(18, 4))
    )


def future_date(rows: pl.DataFrame, share: float, seed: int) -> SpoiledRows:
    """Moves the row's first timestamp ten years ahead."""
    column = rows.select(cs.datetime()).columns[0]
    return _replaced("future_date", rows, column, share, seed, pl.col(column).dt.offset_by("10y"))


def unreadable_number(rows: pl.DataFrame, share: float, seed: int) -> SpoiledRows:
    """Puts a letter into the first amount of the row. The column becomes text."""
    column = rows.select(cs.decimal()).columns[0]
    as_text = rows.with_columns(pl.col(column).cast(pl.String))
    return _replaced("unreadable_number", as_text, column, share, seed, pl.col(column).str.replace(r"\.", "O"))


def raised_amount(rows: pl.DataFrame, share: float, seed: int) -> SpoiledRows:
    """Raises the first amount of the row by a tenth: wrong, but plausible if nothing else depends on it."""
    column = rows.select(cs.decimal()).columns[0]
    return _replaced("raised_amount", rows, column, share, seed, (pl.col(column) * 11 / 10).cast(pl.Decimal(18, 4)))


def duplicate_row(rows: pl.DataFrame, share: float, seed: int) -> SpoiledRows:
    """Repeats rows at the end."""
    chosen = _chosen("duplicate_row", rows.height, share, seed)
    places = tuple(range(rows.height, rows.height + len(chosen)))
    return SpoiledRows("duplicate_row", pl.concat([rows, rows[chosen]]), places, rows.columns[0])


def cut_off(text: str, seed: int) -> SpoiledText:
    """Cuts the file in the middle of its last line."""
    lines = text.splitlines(keepends=True)
    kept = generator(seed, "cut_off").integers(1, max(len(lines[-1]) - 1, 2))
    return SpoiledText("cut_off", "".join([*lines[:-1], lines[-1][:kept]]), (len(lines),))


def further_field(text: str, share: float, seed: int) -> SpoiledText:
    """Adds a field to CSV lines."""
    return _replaced_lines("further_field", text, 1, share, seed, lambda line: line + ",surplus")


def broken_json(text: str, share: float, seed: int) -> SpoiledText:
    """Removes the closing brace of JSON lines."""
    return _replaced_lines("broken_json", text, 0, share, seed, lambda line: line.removesuffix("}"))


FAULTS: Mapping[str, tuple[Fault, ...]] = {
    "customers": (null_key, future_date),
    "customer_merges": (null_key, future_date),
    "products": (null_key, negative_amount),
    "orders": (null_key, wrong_total, unknown_status, future_date),
    "order_items": (negative_quantity, unknown_product, negative_amount),
    "payments": (unknown_status, negative_amount),
    "returns": (negative_quantity, unknown_product),
    "shipments": (unknown_status, future_date),
    "suppliers": (null_key,),
    "purchase_receipts": (negative_quantity, negative_amount),
    "inventory_movements": (null_key, unknown_product),
    "reviews": (null_key, unknown_product),
    "events": (null_key, future_date),
    "campaigns": (null_key, future_date),
    "ad_spend": (null_key, negative_amount),
}
"""The defects that a single row of each feed can have."""


def with_dirt(feed: str, rows: pl.DataFrame, share: float, seed: int, day: int) -> tuple[pl.DataFrame, Sequence[str]]:
    """Returns the rows with defective copies of a share of them, and the defect of each copy, in order.

    The good rows stay. A copy without a value in the column of its defect is unchanged: a `duplicate_row`.
    """
    rng = generator(seed, f"dirt in {feed}", day)
    chosen = np.flatnonzero(rng.random(rows.height) < share)
    faults = rng.integers(0, len(FAULTS[feed]), len(chosen))
    copies = [
        fault(rows[chosen[faults == place]], 1.0, seed)
        for place, fault in enumerate(FAULTS[feed])
        if (faults == place).any()
    ]
    kinds = [
        spoiled.fault if place in spoiled.places else duplicate_row.__name__
        for spoiled in copies
        for place in range(spoiled.rows.height)
    ]
    return pl.concat([rows, *(spoiled.rows for spoiled in copies)]), kinds


def _chosen(fault: str, count: int, share: float, seed: int) -> np.ndarray:
    """Returns the positions of the rows to copy, in order: their share, and at least one if there are rows."""
    wanted = min(max(round(count * share), 1), count)
    return np.sort(generator(seed, fault).choice(count, wanted, replace=False))


def _replaced(fault: str, rows: pl.DataFrame, column: str, share: float, seed: int, value: pl.Expr) -> SpoiledRows:
    given = np.flatnonzero(rows[column].is_not_null().to_numpy())
    places = given[_chosen(fault, len(given), share, seed)]
    is_chosen = np.zeros(rows.height, dtype=bool)
    is_chosen[places] = True
    spoiled = pl.when(pl.Series(is_chosen)).then(value.cast(rows.schema[column])).otherwise(pl.col(column))
    return SpoiledRows(fault, rows.with_columns(spoiled.alias(column)), tuple(places.tolist()), column)


def _replaced_lines(
    fault: str, text: str, header: int, share: float, seed: int, spoil: Callable[[str], str]
) -> SpoiledText:
    lines = text.splitlines()
    places = header + _chosen(fault, len(lines) - header, share, seed)
    for place in places:
        lines[place] = spoil(lines[place])
    return SpoiledText(fault, "\n".join([*lines, ""]), tuple((places + 1).tolist()))
