"""The verbs that differ by engine: types, reading, parsing text, hashing. One module per engine."""
