"""Serving: the readers of the snapshot. Nothing here opens the warehouse or knows how it is written."""
