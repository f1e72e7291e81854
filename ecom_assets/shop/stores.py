"""Several stores, each of which numbers its own orders."""

import polars as pl

FEEDS = ("orders", "order_items", "payments", "returns", "shipments", "reviews")
"""Feeds whose rows name the store that issued their numbers. Events name the store in the order number itself."""


def with_store(rows: pl.DataFrame, stores: int) -> pl.DataFrame:
    """Returns the rows with the number that the store gave their order, and the store."""
    return rows.with_columns(order_id=_issued(stores), store=_store(stores))


def with_full_number(rows: pl.DataFrame, stores: int) -> pl.DataFrame:
    """Returns the rows with their order's number in full: the store, a colon, and the number that it gave."""
    return rows.with_columns(order_id=_store(stores) + ":" + _issued(stores))


def _number() -> pl.Expr:
    return pl.col("order_id").str.slice(1).cast(pl.Int64)


def _store(stores: int) -> pl.Expr:
    return "S" + (_number() % stores + 1).cast(pl.String)


def _issued(stores: int) -> pl.Expr:
    return "O" + (_number() // stores).cast(pl.String).str.zfill(8)
