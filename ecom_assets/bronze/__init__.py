"""Rows as they arrived: text as sent, with arrival day, file and record.

Here belongs one asset per feed. Types, rules and versions do not: those are silver's.
"""
