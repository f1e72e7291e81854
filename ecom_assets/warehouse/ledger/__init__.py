"""The warehouse's record of each table-day: its state, its content and its inputs.

One row per table and day is written in the transaction that writes the day's rows; from these rows alone follows which
table-days are stale. Here is all SQL that names a table of the ledger.
"""
