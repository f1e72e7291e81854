"""Real servers on this machine that record what they get: one of HTTP, one of SMTP with TLS."""

import base64
import json
import socketserver
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

CERTIFICATE = Path(__file__).with_name("loopback.pem")
"""Key and certificate of 127.0.0.1, for these tests alone."""


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Receiver:
    """A web server that answers with `status`, or first with those of `answers`, and keeps what it has taken."""

    def __init__(self) -> None:
        self.status = 200
        self.answers: list[int] = []
        self.taken: list[tuple[str, str, Any]] = []
        self.on_request: Callable[[], None] = lambda: None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.on_request()
                status = receiver.answers.pop(0) if receiver.answers else receiver.status
                if status == 200:
                    receiver.taken.append((self.path, self.headers.get("Idempotency-Key", ""), body))
                self.send_response(status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def ids(self) -> list[str]:
        return [id for _, id, _ in self.taken]

    @property
    def bodies(self) -> list[Any]:
        return [body for _, _, body in self.taken]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A web server that runs."""
    found = Receiver()
    with _serving(found.server):
        yield found


class MailServer:
    """An SMTP server that takes mail only over TLS and with the right password; `refuses` a recipient by a status."""

    def __init__(self, is_tls: bool) -> None:
        self.mails: list[EmailMessage] = []
        self.refuses: int | None = None
        self.user, self.password = "alerts", "swordfish"
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(CERTIFICATE)
        mail_server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.sock = context.wrap_socket(self.request, server_side=True) if is_tls else self.request
                self.secure, self.known = is_tls, False
                self.file = self.sock.makefile("rb")
                self.say("220 ready")
                while line := self.file.readline():
                    if not self.answer(line.decode().strip()):
                        break
                self.sock.close()

            def say(self, text: str) -> None:
                self.sock.sendall(f"{text}\r\n".encode())

            def answer(self, line: str) -> bool:
                verb = line[:4].upper()
                if verb == "EHLO":
                    self.say("250-loopback\r\n250 AUTH PLAIN" if self.secure else "250-loopback\r\n250 STARTTLS")
                elif verb == "STAR":
                    self.say("220 go on")
                    self.sock = context.wrap_socket(self.sock, server_side=True)
                    self.secure, self.file = True, self.sock.makefile("rb")
                elif verb == "AUTH":
                    sent = base64.b64decode(line.split()[-1]).decode().split("\0")[1:]
                    self.known = sent == [mail_server.user, mail_server.password]
                    self.say("235 welcome" if self.known else f"535 no such login {sent}")
                elif verb == "RCPT":
                    self.say(f"{mail_server.refuses} not {line}" if mail_server.refuses else "250 ok")
                elif verb == "DATA":
                    self.say("354 go on" if self.secure and self.known else "530 who are you")
                    if self.secure and self.known:
                        self.take()
                elif verb == "QUIT":
                    self.say("221 bye")
                    return False
                else:
                    self.say("250 ok")
                return True

            def take(self) -> None:
                lines = []
                while (line := self.file.readline()) != b".\r\n":
                    lines.append(line)
                mail_server.mails.append(message_from_bytes(b"".join(lines), policy=policy.default))
                self.say("250 taken")

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that hangs up is no error."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]


@contextmanager
def mail_server(is_tls: bool = False) -> Iterator[MailServer]:
    """An SMTP server that runs; with `is_tls` it speaks TLS from the start."""
    found = MailServer(is_tls)
    with _serving(found.server):
        yield found
