"""The pages of profiles: one per table, and an index, compared with the profiles of the snapshot before."""

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ecom_assets.declaration import Declaration
from ecom_assets.documentation.html import number, page
from ecom_assets.errors import UserError, suggestion
from ecom_assets.landing.files import replace_file
from ecom_assets.quality.profiles import SHARES, TOP, ColumnProfile, TableProfile, changes, profile, published
from ecom_assets.serving.ledger import snapshot_name

KEPT = 10
"""Profiles of a table that are kept, each of another snapshot."""


class UnknownTable(UserError):
    """A table that the snapshot does not have."""


@dataclass(frozen=True)
class Shown:
    """A profile, and what has changed since that of the snapshot before, if there is one."""

    now: TableProfile
    before: str
    """When the snapshot before was published; empty if there is no profile of it."""
    changed: Sequence[str]

    @classmethod
    def newest(cls, kept: Mapping[str, TableProfile]) -> "Shown":
        """Returns the newest of the profiles of a table by snapshot, compared with the one before."""
        *earlier, now = (kept[snapshot] for snapshot in sorted(kept)[-2:])
        return cls(now, moment(earlier[0].snapshot) if earlier else "", changes(earlier[0], now) if earlier else [])

    @property
    def published(self) -> str:
        return moment(self.now.snapshot)


def write(
    con: duckdb.DuckDBPyConnection,
    tables: Sequence[Declaration],
    folder: Path,
    currency: str | None,
    wanted: Sequence[str] = (),
    told: Callable[[str, float], object] = lambda step, share: None,
) -> list[Shown]:
    """Writes the profiles of the tables of a snapshot, all by default, and the index of all that the folder has.

    Returns those that were made. `told` gets the next table and the share that is done. A file of `<table>.json` that
    cannot be read counts as missing. Raises UnknownTable, OSError.
    """
    there = {table.name: table for table in published(con, tables)}
    if unknown := [name for name in wanted if name not in there]:
        raise UnknownTable(f"The snapshot has no table {unknown[0]!r}{suggestion(unknown[0], there)}")
    snapshot, chosen = snapshot_name(con), list(dict.fromkeys(wanted)) or list(there)
    made = []
    for n, name in enumerate(chosen):
        told(name, n / len(chosen))
        file = folder / f"{name}.json"
        earlier = {key: one.masked(there[name].contract.personal) for key, one in kept_profiles(file).items()}
        kept = {**earlier, snapshot: profile(con, there[name], snapshot)}
        newest = {key: kept[key] for key in sorted(key for key in kept if key <= snapshot)[-KEPT:]}
        shown = Shown.newest(newest)
        saved = {key: one.to_json() for key, one in newest.items()}
        replace_file(file, json.dumps(saved, separators=(",", ":")).encode())
        replace_file(folder / f"{name}.html", _page(shown, there[name], currency or "shop currency").encode())
        made.append(shown)
    others = (kept_profiles(folder / f"{name}.json") for name in there if name not in chosen)
    known = {shown.now.table: shown for shown in (*made, *map(Shown.newest, filter(None, others)))}
    all_shown = [known[name] for name in there if name in known]
    replace_file(folder / "index.html", page("profiles.html", shown=all_shown).encode())
    return made


def kept_profiles(file: Path) -> dict[str, TableProfile]:
    """Returns the profiles of a table by snapshot; none if there is no such file, or it cannot be read."""
    try:
        return TableProfile.from_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _page(shown: Shown, table: Declaration, currency: str) -> str:
    return page(
        "profile.html",
        now=shown.now,
        before=shown.before,
        changed=shown.changed,
        published=shown.published,
        table=table,
        currency=currency,
        shares=SHARES,
        most=TOP,
        edges=_edges,
    )


def _edges(column: ColumnProfile) -> tuple[str, str]:
    """Returns both ends of a column's histogram, as text."""
    if column.bars is None:
        return "", ""
    low, high = column.bars.low, column.bars.high
    if column.kind == "date":
        return str(column.low), str(column.high)
    if column.kind == "timestamp":
        first, last = (dt.datetime.fromtimestamp(end, dt.UTC) for end in (low, high))
        return f"{first:%Y-%m-%d %H:%M}", f"{last:%Y-%m-%d %H:%M}"
    return number(low), number(high)


def moment(snapshot: str) -> str:
    """Returns when a snapshot was published, from its name."""
    return f"{dt.datetime.fromisoformat(snapshot):%Y-%m-%d %H:%M} UTC"
