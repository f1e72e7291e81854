"""Operations that differ by engine: types, reading, parsing text, hashing. One package per engine."""
