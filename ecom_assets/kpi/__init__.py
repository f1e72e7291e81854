"""The measures that people read: sums of gold by day, and ratios of these.

Definitions of measures belong here. Joins and keys belong in gold.
"""
