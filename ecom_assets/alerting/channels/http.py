"""Posting JSON over HTTP, with errors that show no address: it may hold a secret."""

import json
import socket
import ssl
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError

from ecom_assets.alerting.channels.channel import NotSent, Refused
from ecom_assets.alerting.configuration import Secret, SecretMissing

TIMEOUT_SECONDS = 5.0
AGAIN = (408, 425, 429)
"""HTTP errors of the receiver that do not concern the message."""
_NO_CONNECTION = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)


def post(url: Secret, body: Any, path: str = "", headers: Mapping[str, str] | None = None) -> None:
    """Posts an object as JSON. Raises NotSent, Refused, and OSError if it may have arrived."""
    data = json.dumps(body).encode()
    try:
        address = revealed(url).rstrip("/") + path if path else revealed(url)
        sent = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
        request = urllib.request.Request(address, data, sent)
        if request.type not in ("http", "https"):
            raise ValueError
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            response.read()
    except HTTPError as error:
        with error:
            if 400 <= error.code < 500 and error.code not in AGAIN:
                raise Refused(f"it answers with HTTP status {error.code}") from None
        raise NotSent(f"it answers with HTTP status {error.code}") from None
    except URLError as error:
        reason = error.reason
        what = reason.strerror if isinstance(reason, OSError) and reason.strerror else type(reason).__name__
        raise (NotSent if isinstance(reason, _NO_CONNECTION) else OSError)(what) from None
    except (HTTPException, ValueError) as error:
        if isinstance(error, ValueError) or type(error).__name__ == "InvalidURL":
            raise NotSent("its address is not valid") from None
        raise OSError(f"it does not answer in HTTP ({type(error).__name__})") from None
    except TimeoutError:
        raise OSError(f"it has not answered within {TIMEOUT_SECONDS:.0f} s") from None


def revealed(secret: Secret) -> str:
    """Returns a secret. Raises NotSent if it is missing."""
    try:
        return secret.reveal()
    except SecretMissing as error:
        raise NotSent(str(error)) from None
