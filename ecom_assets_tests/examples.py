"""How many examples properties are tried on that take long for each: a few by `make test`, all by `make test-long`."""

from hypothesis import settings

ALL = "all-examples"
"""The profile of hypothesis under which all are tried."""


def examples(number: int) -> int:
    """All of that many examples, or a quarter of them."""
    return number if settings.get_current_profile_name() == ALL else -(-number // 4)
