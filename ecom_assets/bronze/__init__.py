"""Rows as they arrived: text as sent, with arrival day, file and record.

One asset per feed belongs here. Types, rules and versions belong in silver.
"""
