"""The platform watches itself: how its parts are, what is wrong in words, and what to do.

It reads the snapshot, the store of alerts and the files, never the warehouse, so that it works during a run. Dagster is
not known here: who calls brings what Dagster knows.
"""
