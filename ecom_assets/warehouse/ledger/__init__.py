"""What the warehouse knows of each table-day: its state, its content and what it was made of.

One row per table and day is written in the transaction that writes the day's rows; from these rows alone follows which
table-days are stale. Here is all SQL that names a table of the ledger.
"""
