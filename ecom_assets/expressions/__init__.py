"""Narwhals expressions that tables share: money, dates, keys, versions, channels, measures.

Computations that tables of several layers share belong here. What only one layer shares stays in that layer.
"""
