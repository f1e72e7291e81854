"""Rows that can be trusted: typed, spelled uniformly, one per key, with references that exist.

The cleaning of feeds and the definition of a visit (sessions) belong here. Joins and measures belong in gold.
"""
