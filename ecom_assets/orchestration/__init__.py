"""Everything that knows Dagster: assets, I/O manager, metadata, executor, jobs, schedules, sensors, alerts.

Writing table-days and finding stale ones belong in `warehouse`.
"""
