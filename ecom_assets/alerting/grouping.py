"""Which alerts have one cause: equal rules in one layer, or a table that reads or refers to another that failed too."""

import datetime as dt
from collections.abc import Iterable, Mapping

from ecom_assets.alerting.events import Event, Key, Kind
from ecom_assets.days import ONE_DAY

NEAR = 7
"""Days within which a failed table explains another that reads or refers to it."""
CONTRACT = "contract"


def root(alerts: Mapping[Key, Event], key: Key) -> Key:
    """Returns the failed table-day that blocks a table-day, or the last that is known on the way there."""
    seen = {key}
    while (event := alerts[key]).kind is Kind.BLOCKED:
        above = Key(CONTRACT, event.blocked_by, key.day)
        if above not in alerts or above in seen:
            break
        seen.add(above)
        key = above
    return key


def explains(alerts: Mapping[Key, Event], key: Key) -> Key | None:
    """Returns a failed table-day that a failed one reads or refers to, the same day's first; None if there is none."""
    event = alerts[key]
    if event.kind is not Kind.FAILED or key.day is None:
        return None
    for table in event.upstream:
        for days in range(NEAR + 1):
            for day in {_later(key.day, -days), _later(key.day, days)}:
                above = Key(CONTRACT, table, day)
                if above != key and above in alerts and alerts[above].kind is Kind.FAILED:
                    return above
    return None


def _later(day: dt.date, days: int) -> dt.date:
    try:
        return day + days * ONE_DAY
    except OverflowError:
        return day


def likeness(event: Event) -> tuple[str, ...]:
    """Returns what alerts of one cause and layer have in common; what one table blocks is in any layer."""
    layer = event.key.table.partition(".")[0]
    place = {Kind.PLATFORM: event.key.table, Kind.BLOCKED: ""}.get(event.kind, layer)
    return (event.kind, event.key.check, place, event.cause)


def groups(alerts: Mapping[Key, Event], keys: Iterable[Key]) -> list[list[Key]]:
    """Returns these keys in groups of one cause each. `alerts` are all that fail, silent ones apart."""
    parent: dict[Key | tuple[str, ...], Key | tuple[str, ...]] = {}

    def find(item: Key | tuple[str, ...]) -> Key | tuple[str, ...]:
        while (above := parent.setdefault(item, item)) != item:
            parent[item] = parent.get(above, above)
            item = above
        return item

    keys = list(keys)
    for key in keys:
        top = root(alerts, key)
        parent[find(key)] = find(top)
        if above := explains(alerts, top):
            parent[find(top)] = find(above)
        parent[find(top)] = find(likeness(alerts[top]))
        parent[find(top)] = find((top.check, top.table))
    found: dict[Key | tuple[str, ...], list[Key]] = {}
    for key in keys:
        found.setdefault(find(key), []).append(key)
    return list(found.values())
