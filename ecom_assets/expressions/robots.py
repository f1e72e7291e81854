"""Robots by their user agent: a list of crawlers kept by others, and agents that call themselves one.

The list is `crawler-user-agents` (github.com/monperrus/crawler-user-agents, MIT), in the version of the lock file.
"""

import narwhals as nw
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

_PATTERNS_AT_ONCE = 200
"""Patterns that are looked for as one: 200 are ten times as fast as all 1,500, whose automaton is too large."""
_NAMES_ITSELF = r"(?i)(^|[^a-z])(ro)?(bot|crawler|spider)([^a-z]|$)|^[\w.-]*(bot|crawler|spider)(/|$)|\+https?://"
"""The words on their own, at the end of the name that starts the agent, or the usual address of an explanation."""


def is_robot(agent: str) -> nw.Expr:
    """Returns whether the user agent in a column is a robot's; false for none. Case counts, as in the list."""
    listed = [entry["pattern"] for entry in CRAWLER_USER_AGENTS_DATA]
    starts = range(0, len(listed), _PATTERNS_AT_ONCE)
    patterns = [_NAMES_ITSELF, *("|".join(listed[start : start + _PATTERNS_AT_ONCE]) for start in starts)]
    found = nw.any_horizontal(*(nw.col(agent).str.contains(pattern) for pattern in patterns), ignore_nulls=False)
    return found.fill_null(value=False)
