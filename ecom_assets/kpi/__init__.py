"""The measures people look at: sums of gold by day, and the ratios of these.

Here belong definitions of measures. Joins and keys do not: those are gold's.
"""
