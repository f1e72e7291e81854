"""The base class of errors meant for users, and suggestions in their messages."""

import difflib
from collections.abc import Collection


class UserError(Exception):
    """An error that the user can fix; the message says where and how. It is shown without traceback."""


def suggestion(name: str, names: Collection[str]) -> str:
    """Returns the end of a message about an unknown name: the closest known name, otherwise all of them."""
    close = difflib.get_close_matches(name, names, 1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known names: {', '.join(names)}."


def misspelt(name: str, names: Collection[str]) -> str | None:
    """Returns the known name of which another may be a misspelling, by about one letter; None if there is none."""
    close = difflib.get_close_matches(name, names, 1, cutoff=max(0.6, 1 - 1.25 / max(len(name), 1)))
    return close[0] if close else None


def is_interrupt(error: BaseException) -> bool:
    """Returns whether an error comes from a signal that interrupted what raised it, as DuckDB tells of one."""
    cause = error.__cause__ or error.__context__
    return not isinstance(error, Exception) or (cause is not None and is_interrupt(cause))
