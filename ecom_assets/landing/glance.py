"""Whether files of the landing zone have changed since the last look, for a process that looks again and again."""

import os
import time
from collections.abc import Hashable, Iterable
from typing import NamedTuple

from ecom_assets.landing.streamed import PREFIX
from ecom_assets.landing.zone import Zone

SETTLED_NS = 2_000_000_000
"""A file whose time of change is younger may change again without another time; so may a folder."""


class _Folder(NamedTuple):
    """A folder as it was listed: its time of change, and the paths of its files but those of streams."""

    mtime_ns: int
    paths: list[str]


class Glances:
    """Looks at the files of a landing zone: a folder is listed again only if it has changed, no file is opened.

    100,000 files take a third of a second. Files of streams never change, so they are not even asked for.
    """

    def __init__(self) -> None:
        self._folders: dict[str, _Folder] = {}

    def at(self, zone: Zone, feeds: Iterable[str]) -> Hashable | None:
        """Returns a value that differs from the last one if any file of the feeds has changed since, come or gone.

        None if files are so young that they may change unseen.
        """
        unsettled = time.time_ns() - SETTLED_NS
        folders: dict[str, _Folder] = {}
        seen: list[tuple[str, int]] = []
        youngest = 0
        for folder in [f"{zone.root}/{feed}/{day}" for feed in sorted(feeds) for day in zone.days(feed)]:
            try:
                mtime_ns = os.stat(folder).st_mtime_ns
                known = self._folders.get(folder)
                if known is None or known.mtime_ns != mtime_ns or mtime_ns > unsettled:
                    names = [name for name in os.listdir(folder) if not name.startswith(PREFIX)]
                    known = _Folder(mtime_ns, [f"{folder}/{name}" for name in names])
                stats = [(stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in map(os.stat, known.paths)]
            except OSError:  # it goes, or something in it does, while it is looked at
                return None
            folders[folder] = known
            youngest = max(youngest, mtime_ns, *(of_file[0] for of_file in stats))
            seen.append((folder, hash((mtime_ns, *stats))))
        self._folders = folders
        return None if youngest > unsettled else hash(tuple(seen))
