"""The one way in which table-days are written: gate, rows, contract, ledger, commit.

A write is one transaction: each of its days has its old state or its new one, never neither. Each
day is judged and stored on its own, so that one bad day of ninety leaves eighty-nine published.
"""

from ecom_assets.writing.feeds import SUPERSEDED_COLUMNS, RowsLost
from ecom_assets.writing.outcome import HELD_LAYERS
from ecom_assets.writing.session import Session
from ecom_assets.writing.store import made_of

__all__ = ["HELD_LAYERS", "SUPERSEDED_COLUMNS", "RowsLost", "Session", "made_of"]
