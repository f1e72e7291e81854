"""Exports: a snapshot's star schema and measures as files for other tools, each export of one snapshot."""
