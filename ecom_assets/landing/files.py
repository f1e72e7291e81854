"""Files written in one step: a reader sees the old file or the new one, also after a crash in the middle."""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any


def replace_file(path: Path, data: bytes | Callable[[Path], object], durable: bool = False) -> Path:
    """Writes a file in one step: the bytes, or what `data` writes to the path that it gets. Returns `path`.

    The new file is written next to it under a name that starts with a dot, then moved. A missing folder is created.
    If `durable`, it is still there after a loss of power once this returns.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    missing = _made(path.parent)
    try:
        if callable(data):
            data(part)
        else:
            part.write_bytes(data)
        if durable:
            move_durably(part, path, missing)
        else:
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def move_durably(part: Path, path: Path, made: Sequence[Path] = ()) -> None:
    """Moves a file in one step to where it is still there after a loss of power. A missing folder is created.

    `made` are folders above it that were created just before.
    """
    sync(part)
    made = [*made, *_made(path.parent)]
    os.replace(part, path)
    for changed in (path.parent, *(folder.parent for folder in made)):
        sync(changed)


def _made(folder: Path) -> list[Path]:
    """Creates a folder, and returns it and those above it that were missing."""
    missing = list(takewhile(lambda each: not each.exists(), (folder, *folder.parents)))
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def sync(path: Path) -> None:
    """Waits until a file, or what a folder lists, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_toml(path: Path, values: Mapping[str, Any]) -> None:
    """Writes a TOML file in one step. TOML has no null: keys with the value None are left out."""
    import tomlkit  # takes as long to import as all else that `ecom --help` needs

    given = {name: value for name, value in values.items() if value is not None}
    replace_file(path, tomlkit.dumps(given).encode())
