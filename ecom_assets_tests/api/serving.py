"""A server of the API on loopback, and a client of it."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from ecom_assets.api.app import application
from ecom_assets.publishing.snapshot import publish
from ecom_assets.settings import Settings
from ecom_assets.warehouse.proof import settle
from ecom_assets_tests.tiny_shop import TinyShop, tables


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """A client of a server on a port."""

    port: int
    known: Settings

    def get(self, address: str, method: str = "GET", **headers: str) -> Answer:
        return self.send(method, address, None, **headers)

    def send(self, method: str, address: str, body: bytes | object | None, **headers: str) -> Answer:
        """Sends a request with a body: bytes as they are, anything else as JSON."""
        address = address if address.startswith("http") else f"http://127.0.0.1:{self.port}{address}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            named = {"Content-Type": "application/json", **named}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(address, data, named, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())


@contextmanager
def serving(known: Settings, sql: bool = False) -> Iterator[Client]:
    """A client of a server of the tiny shop."""
    config = uvicorn.Config(application(known, tables(), sql=sql), port=0, log_level="error", lifespan="on")
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    socket.listen()  # requests wait until it runs
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    try:
        yield Client(socket.getsockname()[1], known)
    finally:
        server.should_exit = True
        thread.join()


def republish(shop: TinyShop, client: Client) -> None:
    settle(shop.session)
    publish(shop.session, client.known.snapshot)
