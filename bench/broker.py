"""A broker of Kafka's protocol on loopback, for benchmarks and tests."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import noida_db
from confluent_kafka.admin import AdminClient

from bench.child import free_port

GIVEN = os.environ.get("ECOM_KAFKA")
"""Another broker to use, such as Apache Kafka's."""
MAX_SECONDS = 20


@contextmanager
def on_loopback(folder: Path) -> Iterator[str]:
    """Yields the address of a broker that stores its topics in a folder, or of the one that the environment names."""
    if GIVEN:
        yield GIVEN
        return
    port = free_port()
    # The program itself: its wrapper would leave it running.
    program = Path(noida_db.__file__).with_name("noida-db")
    command = [program, "start", "--only", "kafka", "--kafka-port", str(port), "--data-dir", folder]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            address = f"127.0.0.1:{port}"
            AdminClient({"bootstrap.servers": address}).list_topics(timeout=MAX_SECONDS)
            yield address
        finally:
            process.terminate()
