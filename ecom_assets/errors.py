"""The one kind of error that is meant for users, and how its messages end."""

import difflib
from collections.abc import Collection


class UserError(Exception):
    """Something that its reader can mend; the message says where and how. It is shown without traceback."""


def suggestion(name: str, names: Collection[str]) -> str:
    """The end of a complaint of a name: the one that might be meant, else all there are."""
    close = difflib.get_close_matches(name, names, 1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(names)}."
