"""Keys of the API: shown once, stored as hashes."""

import datetime as dt
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ecom_assets.errors import UserError
from ecom_assets.landing.files import replace_file

SCOPES = ("read", "write", "sql")
"""What a key may open: reading; writing rows to the landing zone; asking by SQL."""
PREFIX = "ecom_"
SHOWN = len(PREFIX) + 6
"""Characters of a key by which people tell keys apart."""


class UnknownKey(UserError):
    """No key has this id."""


@dataclass(frozen=True)
class ApiKey:
    """A key as stored: its first characters, the SHA-256 of all, and when it was made, expires and was revoked, UTC.

    `scopes` are what it opens, some of SCOPES.
    """

    id: str
    name: str
    shown: str
    digest: str
    created_at: dt.datetime
    expires_at: dt.datetime | None = None
    revoked_at: dt.datetime | None = None
    scopes: Sequence[str] = SCOPES[:1]

    def holds(self, now: dt.datetime) -> bool:
        """Returns whether the key still opens anything."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def keys(path: Path) -> list[ApiKey]:
    """Returns all keys of a file, the oldest first; none if there is no file."""
    if not path.exists():
        return []
    moments = ("created_at", "expires_at", "revoked_at")
    return [
        ApiKey(**known | {name: known[name] and dt.datetime.fromisoformat(known[name]) for name in moments})
        for known in json.loads(path.read_text(encoding="utf-8"))
    ]


def create(
    path: Path,
    name: str,
    now: dt.datetime,
    expires_at: dt.datetime | None = None,
    scopes: Sequence[str] = SCOPES[:1],
) -> str:
    """Adds a key with 256 bits to a file, and returns it. It cannot be read again."""
    key = PREFIX + secrets.token_urlsafe(32)
    made = ApiKey(secrets.token_hex(4), name, key[:SHOWN], _digest(key), now, expires_at, scopes=list(scopes))
    _write(path, [*keys(path), made])
    return key


def revoke(path: Path, id: str, now: dt.datetime) -> ApiKey:
    """Revokes a key, and returns it. Raises UnknownKey."""
    known = keys(path)
    found = next((key for key in known if key.id == id), None)
    if found is None:
        raise UnknownKey(f"No key has the id {id!r}. ecom api-key list shows all.")
    revoked = replace(found, revoked_at=found.revoked_at or now)
    _write(path, [revoked if key is found else key for key in known])
    return revoked


def holder(known: Sequence[ApiKey], key: str, now: dt.datetime) -> ApiKey | None:
    """Returns which key this is, if it holds. Takes as long for one as for another."""
    digest, found = _digest(key), None
    for each in known:
        if hmac.compare_digest(each.digest, digest) and each.holds(now):
            found = each
    return found


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _write(path: Path, known: Sequence[ApiKey]) -> None:
    text = json.dumps([asdict(key) for key in known], indent=2, default=lambda moment: moment.isoformat())

    def write(part: Path) -> None:
        with os.fdopen(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)

    replace_file(path, write)
