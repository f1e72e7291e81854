"""Slowly changing dimensions (type 2): which changes make a version, and which version was valid when."""

from collections.abc import Sequence

import narwhals as nw


def _differs(attribute: str) -> nw.Expr:
    """Returns whether an attribute differs from the previous change; null is a value of its own."""
    now, before = nw.col(attribute), nw.col(f"previous_{attribute}")
    return (now != before).fill_null(value=True) & ~(now.is_null() & before.is_null())


def _last_known(column: str, identity: str) -> nw.Expr:
    """Returns a column, in changes that delete their identity with the last known value where they have none."""
    value = nw.col(column)
    known = value.fill_null(strategy="forward").over(identity, order_by="changed_at")
    return nw.when(nw.col("is_deleted")).then(known).otherwise(value).alias(column)


def versions(changes: nw.LazyFrame, days: nw.LazyFrame, *, identity: str, attributes: Sequence[str]) -> nw.LazyFrame:
    """Returns the changes that differ in an attribute from the change before, for identities that changed in `days`.

    A change that deletes the identity (`is_deleted`) keeps the last known value of what it leaves out. It is left out
    itself if nothing is known before it.

    Args:
        changes: Rows of all days up to the last of `days`, with `changed_at`, `changed_on` and `is_deleted`.
        days: The days of the window, in the column `day`.
        identity: The column that identifies what changes.
        attributes: The columns that are compared; at least one has to differ.
    """
    touched = changes.join(days, left_on="changed_on", right_on="day", how="semi")
    history = (
        changes.with_columns(nw.col("is_deleted").fill_null(value=False))
        .join(touched.select(identity), on=identity, how="semi")
        .with_columns(lives_since=nw.when(~nw.col("is_deleted")).then(nw.col("changed_at")))
        .with_columns(_last_known(column, identity) for column in ("lives_since", *attributes))
        .filter(~nw.col("lives_since").is_null())
    )
    compared = history.with_columns(
        nw.col(column).shift(1).over(identity, order_by="changed_at").alias(f"previous_{column}")
        for column in ("changed_at", "is_deleted", *attributes)
    )
    is_first = nw.col("previous_changed_at").is_null()
    changed = nw.any_horizontal(*map(_differs, ("is_deleted", *attributes)), ignore_nulls=False)
    return compared.filter(is_first | changed)


def view_of(table: str, identity: str, mentions: Sequence[str]) -> str:
    """Returns the query that adds to each version its end (null if current), whether it is current, and its number.

    Identities that only tables of `mentions` name have one inferred version, of which nothing else is known.
    """
    mentioned = " UNION ".join(f"SELECT {identity} FROM {mention}" for mention in mentions)
    return f"""
(SELECT
    *,
    lead(effective_from) OVER later AS effective_to,
    lead(effective_from) OVER later IS NULL AS is_current,
    row_number() OVER later AS version_number,
    false AS is_inferred
FROM {table}
WINDOW later AS (PARTITION BY {identity} ORDER BY effective_from))
UNION ALL BY NAME
SELECT {identity}, true AS is_current, 1 AS version_number, true AS is_inferred, false AS is_deleted
FROM ({mentioned})
WHERE {identity} NOT IN (SELECT {identity} FROM {table})
"""


def with_version(
    facts: nw.LazyFrame,
    versions: nw.LazyFrame,
    *,
    identity: str,
    moment: str,
    columns: Sequence[str],
    later: str | None = None,
) -> nw.LazyFrame:
    """Returns the facts with columns of the version valid at the fact's moment; null if there is none.

    With `later`, the first version counts before its start too: the column of that name says of which facts.

    Args:
        facts: Rows with the columns `identity` and `moment`.
        versions: All versions that the facts refer to, with `identity`, `effective_from` and the
            columns to add. Leaving out versions that no fact refers to saves time.
        identity: The column that both share, e.g. `customer_id`.
        moment: The column with the fact's timestamp.
        columns: The columns of the version to add.
        later: The name of a boolean column to add.
    """
    c = nw.col
    spans = versions.select(identity, "effective_from", *columns).with_columns(
        effective_to=c("effective_from").shift(-1).over(identity, order_by="effective_from"),
        is_first=c("effective_from").shift(1).over(identity, order_by="effective_from").is_null(),
    )
    has_begun = c("effective_from") <= c(moment)
    has_not_ended = c("effective_to").is_null() | (c(moment) < c("effective_to"))
    # The first version also matches facts before it, so that each fact joins exactly one row.
    is_met = c("effective_from").is_null() | ((has_begun | c("is_first")) & has_not_ended)
    met = facts.join(spans, on=identity, how="left").filter(is_met)
    if later:
        met = met.with_columns((~has_begun).fill_null(value=False).alias(later))
    else:
        met = met.with_columns(nw.when(has_begun).then(c(column)).alias(column) for column in columns)
    return met.drop("effective_from", "effective_to", "is_first")


def with_version_of_day(
    rows: nw.LazyFrame, versions: nw.LazyFrame, *, identity: str, day: str, columns: Sequence[str]
) -> nw.LazyFrame:
    """Returns the rows with columns of the version valid at the end of the row's day; null if there is none.

    Args:
        rows: Rows with the columns `identity` and `day`, at most one per both.
        versions: All versions that the rows refer to, with `identity`, `effective_from`, `effective_on` and the
            columns to add.
        identity: The column that both share, e.g. `product_id`.
        day: The column with the row's day.
        columns: The columns of the version to add.
    """
    c = nw.col
    spans = versions.select(
        identity,
        "effective_on",
        *columns,
        replaced_on=c("effective_on").shift(-1).over(identity, order_by="effective_from"),
    )
    valid = (
        rows.select(identity, day)
        .join(spans, on=identity)
        .filter(c("effective_on") <= c(day), c("replaced_on").is_null() | (c(day) < c("replaced_on")))
        .drop("effective_on", "replaced_on")
    )
    return rows.join(valid, on=[identity, day], how="left")
