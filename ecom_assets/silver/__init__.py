"""Rows that can be trusted: typed, of one spelling, one per key, with references that hold.

Here belong the feeds' cleaning and what one visit is (sessions). Joins and measures do not: those are gold's.
"""
