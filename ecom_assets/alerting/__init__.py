"""Alerts that are delivered: what fails is told once, grouped by its cause, and so is its recovery.

Here are the incidents, as a state machine without clock and storage; a small SQLite store of what they are made of; and
the channels that messages go to. Neither Dagster nor DuckDB is known here: whoever finds a fault writes an event.
"""
