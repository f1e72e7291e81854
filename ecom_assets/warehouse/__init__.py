"""The single write path of table-days: gate, rows, contract, ledger, commit.

A write is one transaction: each of its days has its old state or its new one, nothing between. Each
day is judged and stored on its own, so that one bad day of ninety leaves eighty-nine published.
Neither Dagster nor the readers of the snapshot belong here.
"""
