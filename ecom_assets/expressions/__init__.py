"""Narwhals expressions that tables share: money, dates, keys, versions, channels, measures.

Here belongs what several tables compute in the same way. What one layer alone shares stays in a module of that layer.
"""
