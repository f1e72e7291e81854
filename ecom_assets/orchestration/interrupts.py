"""Signals that end a run: they interrupt what DuckDB is doing."""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

_ENDING = {signal.SIGINT, signal.SIGTERM}


@contextmanager
def interruptible(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Interrupts the queries of a connection as soon as a signal arrives that ends the process.

    Python handles a signal once a query has returned, and DuckDB looks for signals only now and then. Signals reach the
    main thread alone; in others this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arriving, arrived = socket.socketpair()
    arrived.setblocking(False)

    def watch() -> None:
        while numbers := arriving.recv(64):
            if _ENDING & set(numbers):
                con.interrupt()

    watcher = threading.Thread(target=watch, daemon=True)
    before = signal.set_wakeup_fd(arrived.fileno(), warn_on_full_buffer=False)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        arrived.close()
        watcher.join()
        arriving.close()
