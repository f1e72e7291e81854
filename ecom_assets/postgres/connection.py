"""Connections to PostgreSQL, and its errors in sentences. No message has a password.

What an address leaves out comes from PostgreSQL's own environment variables and files: PGHOST, PGUSER, PGPASSWORD,
~/.pgpass, PGSERVICE and so on.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ecom_assets.errors import UserError

if TYPE_CHECKING:
    import psycopg

SCHEMES = ("postgres://", "postgresql://")
CONNECT_SECONDS = 10
"""Seconds until a server that does not answer counts as away, unless the address says connect_timeout."""
APPLICATION = "ecom_assets"
"""The name under which the server lists these connections."""
_ADVICE = {
    "password authentication failed": "Look at the password: PGPASSWORD, ~/.pgpass or the secret with the address",
    "no password supplied": "Give the password by PGPASSWORD, ~/.pgpass or the secret with the address",
    "does not exist": "Look at the names of the database and the user",
    "no pg_hba.conf entry": "Let the server's administrator admit this machine, user and database",
    "translate host name": "Look at the name of the host",
    "refused": "Look at host and port, and whether the server runs",
    "timeout expired": "Look at host, port and firewall",
}


class DatabaseError(UserError):
    """A database that cannot be reached, or that refuses what is asked of it."""


def is_address(text: str) -> bool:
    """Returns whether a text is the address of a database of PostgreSQL, rather than a path."""
    return text.startswith(SCHEMES)


def refuse_password(address: str) -> None:
    """Raises DatabaseError if an address has a password: arguments of commands are seen by all users of a machine."""
    if _parsed(address).get("password"):
        raise DatabaseError(
            "Leave the password out of the address, since others see it: give it by PGPASSWORD or ~/.pgpass."
        )


@contextmanager
def connected(address: str) -> "Iterator[psycopg.Connection]":
    """Yields a connection; what the block did is committed at its end, or not at all if it raises.

    Raises DatabaseError if the driver is missing, the server cannot be reached or refuses, or the connection is lost.
    """
    parts = _parsed(address)
    import psycopg
    from psycopg.conninfo import make_conninfo

    defaults = {"connect_timeout": f"{CONNECT_SECONDS}", "application_name": APPLICATION}
    try:
        con = psycopg.connect(make_conninfo(**(defaults | parts)))
    except psycopg.OperationalError as error:
        raise DatabaseError(_unreachable(error)) from None
    try:
        with con:
            yield con
    except psycopg.Error as error:
        raise DatabaseError(_refused(error)) from error


def name_of(con: "psycopg.Connection") -> str:
    """Returns host and database of a connection."""
    return f"{con.info.host}/{con.info.dbname}"


def _parsed(address: str) -> dict[str, str]:
    """Returns the parts of an address. Raises DatabaseError."""
    try:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict
    except ModuleNotFoundError as error:
        raise DatabaseError("PostgreSQL needs psycopg: pip install 'ecom_assets[postgres]'.") from error
    with suppress(psycopg.ProgrammingError):  # its message would have the address
        return {name: str(value) for name, value in conninfo_to_dict(address).items() if value is not None}
    raise DatabaseError("This is no address of a database: write postgres://USER@HOST:PORT/DATABASE.")


def _unreachable(error: Exception) -> str:
    """Returns why there is no connection, in a sentence with what to do."""
    text = _first_line(error).removeprefix("connection failed: ")
    advice = next((advice for sign, advice in _ADVICE.items() if sign in text), "Look at the address and the server")
    return f"PostgreSQL cannot be reached: {text}. {advice}."


def _refused(error: "psycopg.Error") -> str:
    """Returns what a server says against a statement, or that it is away, in a sentence."""
    import psycopg

    if error.sqlstate is None or isinstance(error, psycopg.errors.AdminShutdown | psycopg.errors.CrashShutdown):
        return f"The connection to PostgreSQL was lost: {_first_line(error)}. Nothing was changed; give it again."
    more = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
    return f"PostgreSQL refuses: {_first_line(error)}{more}."


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
