"""The client of Kafka: what a topic is, and a consumer that is told where to go on, and reads nothing else.

No group decides who reads what. What landed is also committed as the group's offsets, for other tools to look at.
"""

import logging
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from ecom_assets.errors import UserError
from ecom_assets.streaming.records import Record

GROUP = "ecom"
SECONDS = 15.0
"""How long an answer of the broker is waited for."""
TRIES = 3
_NO_ID = "A" * 22
"""The id of a topic at a broker that issues none: zeros."""
_SETTINGS: Mapping[str, Any] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    "fetch.wait.max.ms": 10,  # the default of 500 is most of the time from a broker to a rule
    "fetch.error.backoff.ms": 5,
    "fetch.queue.backoff.ms": 5,
    "fetch.max.bytes": 4 << 20,
    "queued.max.messages.kbytes": 8 << 10,
    "queued.min.messages": 20_000,
    "topic.metadata.refresh.interval.ms": 30_000,
}
_log = logging.getLogger(__name__)


class BrokerUnreachable(UserError):
    """The broker does not answer, or has no such topic."""


class Topic(NamedTuple):
    """A topic as it is: its id, "0" if the broker issues none, and its partitions."""

    name: str
    id: str
    partitions: tuple[int, ...]


class Client:
    """A consumer of partitions that are assigned to it. `settings` are librdkafka's, such as bootstrap.servers."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        given: dict[str, Any] = {**settings, "error_cb": _log_error}
        self._admin = AdminClient({**given})
        self._consumer = Consumer({"group.id": GROUP, **_SETTINGS, **given})

    def topic(self, name: str) -> Topic:
        """Returns a topic. Raises BrokerUnreachable."""
        try:
            found = self._admin.describe_topics(TopicCollection([name]), request_timeout=SECONDS)[name].result()
        except KafkaException as error:
            raise BrokerUnreachable(f"The topic {name} cannot be read: {error.args[0].str()}.") from error
        id = "0" if str(found.topic_id) == _NO_ID else str(found.topic_id)
        return Topic(name, id, tuple(sorted(partition.id for partition in found.partitions)))

    def offsets(self, topic: str, partition: int) -> tuple[int, int]:
        """Returns the first offset that a partition still has, and that of its next record.

        Raises BrokerUnreachable.
        """
        for left in reversed(range(TRIES)):
            try:
                first, end = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=SECONDS)
                break
            except KafkaException as error:
                if not left:
                    raise BrokerUnreachable(f"{topic}/{partition} cannot be read: {error.args[0].str()}.") from error
                time.sleep(0.2)
        return first, end

    def end(self, topic: str, partition: int) -> int | None:
        """Returns the offset of a partition's next record as last heard; None if nothing was heard yet."""
        with suppress(KafkaException):
            _, end = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
            return end if end >= 0 else None
        return None

    def assign(self, starts: Mapping[tuple[str, int], int]) -> None:
        """Reads partitions from these offsets on, and no others."""
        self._consumer.assign([TopicPartition(*place, offset) for place, offset in starts.items()])

    def take(self, most: int, seconds: float) -> list[Any]:
        """Returns up to `most` messages that arrive within some seconds: records and errors."""
        return self._consumer.consume(most, seconds)

    def commit(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Tells the broker what has landed, as a hint for others; nothing depends on it."""
        with suppress(KafkaException):
            self._consumer.commit(
                offsets=[TopicPartition(*place, offset) for place, offset in offsets.items()], asynchronous=True
            )

    def close(self) -> None:
        """Leaves the broker."""
        self._consumer.close()


def record_of(message: Any) -> Record:
    """Returns a message of the client as a record."""
    _, timestamp = message.timestamp()
    return Record(message.offset(), timestamp, message.key(), message.value(), message.headers() or ())


def is_out_of_range(error: KafkaError) -> bool:
    """Returns whether the broker does not have the offset that was asked for, or not the topic any more."""
    return error.code() in (
        KafkaError._AUTO_OFFSET_RESET,
        KafkaError.OFFSET_OUT_OF_RANGE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.UNKNOWN_TOPIC_ID,
    )


def create_topics(settings: Mapping[str, str], names: Iterable[str], partitions: int) -> None:
    """Creates the topics that there are not; records of any age are kept in them. Raises BrokerUnreachable."""
    admin = AdminClient({**settings})
    made = admin.create_topics([NewTopic(name, partitions, config={"retention.ms": "-1"}) for name in names])
    for name, created in made.items():
        try:
            created.result(SECONDS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise BrokerUnreachable(f"The topic {name} cannot be created: {error.args[0].str()}.") from error


def _log_error(error: KafkaError) -> None:
    _log.debug("Kafka: %s", error.str())
