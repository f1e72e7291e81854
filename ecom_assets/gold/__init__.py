"""The star schema: dimensions, facts and their daily aggregates.

Here belong joins, keys and additive measures. Ratios do not: those are kpi's.
"""
