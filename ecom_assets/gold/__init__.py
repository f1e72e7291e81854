"""The star schema: dimensions, facts and their daily aggregates.

Joins, keys and additive measures belong here. Ratios belong in kpi.
"""
