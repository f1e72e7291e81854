"""Everything that knows Dagster: assets, I/O manager, metadata, executor, jobs, schedules, sensors, alerts.

How a table-day is written, and what is stale, does not belong here: that is the warehouse's.
"""
