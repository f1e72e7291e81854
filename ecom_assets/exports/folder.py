"""The folder of an export: replaced as a whole, so that readers see the old export or the new one."""

import ctypes
import errno
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ecom_assets.errors import UserError

MANIFEST = "manifest.json"
MADE_BY = "ecom export"
_OF_FILE_BROWSERS = {".DS_Store", "Thumbs.db", "desktop.ini"}
_HERE, _EXCHANGE = -100, 2
"""Linux's names of the current folder and of an exchange, in fcntl.h and fs.h."""


class NotAnExport(UserError):
    """A folder is to be replaced that holds something else than an export."""


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Yields an empty folder that takes the place of `folder` at the end of the block, unless that raises.

    Raises NotAnExport before anything is written if `folder` holds files that no export wrote, or changed ones.
    """
    folder = folder.resolve()
    refuse_others(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_left(folder)
    aside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    aside.mkdir()
    handle = os.open(aside, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield aside
        refuse_others(folder)
        _swap(aside, folder)
    finally:
        os.close(handle)
        shutil.rmtree(aside, ignore_errors=True)


def refuse_others(folder: Path) -> None:
    """Raises NotAnExport if a folder holds anything but an unchanged export. A missing or an empty one is fine."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise NotAnExport(f"{folder} is a file. Give a folder.")
    files = {
        path.relative_to(folder).as_posix(): path.lstat().st_size
        for path in sorted(folder.rglob("*"))
        if not path.is_dir() and path.name not in _OF_FILE_BROWSERS
    }
    if not files:
        return
    known = _known_files(folder / MANIFEST)
    if known is None:
        raise NotAnExport(f"{folder} holds other files, such as {next(iter(files))}. Give a folder of its own.")
    for name, size in files.items():
        if name != MANIFEST and known.get(name) != size:
            how = "has been changed since" if name in known else "is not part of it"
            raise NotAnExport(
                f"{folder} holds an export, and {name} {how}. It would be lost: move it away, or give another folder."
            )


def _known_files(manifest: Path) -> Mapping[str, int] | None:
    """Returns path and size of each file that a manifest lists; None if it is no export's."""
    try:
        told: Any = json.loads(manifest.read_text("utf-8"))
        return {file["path"]: file["bytes"] for file in told["files"]} if told["made_by"] == MADE_BY else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remove_left(folder: Path) -> None:
    """Removes what exports to the same folder have left that were killed: nobody locks it."""
    for left in folder.parent.glob(f".{folder.name}.*.part"):
        try:
            handle = os.open(left, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left)
        except BlockingIOError:
            continue
        finally:
            os.close(handle)


def _swap(aside: Path, folder: Path) -> None:
    """Puts a folder in the place of another, which goes to the place of the first.

    In one step, where system and file system can exchange folders; elsewhere there is a moment without the folder.
    """
    if _exchanged(aside, folder):
        return
    try:
        os.rename(aside, folder)  # there is none, or an empty one
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise NotAnExport(
                f"{folder} is a mount point, which cannot be replaced. Give a folder inside it."
            ) from error
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        before = aside.with_name(f"{aside.name}.before")
        os.rename(folder, before)
        os.rename(aside, folder)
        os.rename(before, aside)


def _exchanged(aside: Path, folder: Path) -> bool:
    exchange = getattr(ctypes.CDLL(None), "renameat2", None)
    return exchange is not None and not exchange(_HERE, bytes(aside), _HERE, bytes(folder), _EXCHANGE)
