"""The verbs in DuckDB: tables, text made typed, hashes."""
