"""Operations in DuckDB: tables, parsing of text, hashes."""
