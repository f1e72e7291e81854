"""The one way in which table-days are written: gate, rows, contract, ledger, commit.

A write is one transaction: each of its days has its old state or its new one, never neither. Each
day is judged and stored on its own, so that one bad day of ninety leaves eighty-nine published.
Dagster does not belong here, and neither do the readers of the snapshot.
"""
