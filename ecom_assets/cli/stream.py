"""Commands for streams: the consumer that lands topics, and the producer that plays the synthetic shop into them."""

import datetime as dt
import signal
import threading
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from ecom_assets import settings
from ecom_assets.cli.group import Days
from ecom_assets.cli.land import PRESET, shop_of
from ecom_assets.days import Window

if TYPE_CHECKING:
    from ecom_assets.streaming.records import FeedFacts

NEEDS_CLIENT = "Streams need {}: pip install 'ecom_assets[stream]'"


@click.command("stream")
@click.argument("topics", nargs=-1)
@click.option("--replay", "replaying", is_flag=True, help="Land dead letters that can be read by now, and end.")
@click.option("--until-end", is_flag=True, help="End once all is read that the topics have.")
@click.option("--warn/--no-warn", "warns", default=True, show_default=True, help="Hold records against rules at once.")
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(min=0.1), help="A file lands after.")
@click.option("--megabytes", default=64, show_default=True, type=click.IntRange(1), help="Or once it is so large.")
@click.option("--records", default=500_000, show_default=True, type=click.IntRange(1), help="Or once it has so many.")
def stream(
    topics: tuple[str, ...],
    replaying: bool,
    until_end: bool,
    warns: bool,
    seconds: float,
    megabytes: int,
    records: int,
) -> None:
    """Land the records of Kafka's TOPICS as files, each once; Ctrl-C or SIGTERM ends it with a complete file.

    A topic is of the feed that its last part names, such as shop.events, or of the one given, as in visits=events. It
    goes on where the landing zone ends. One such process may run for each landing zone.
    """
    from ecom_assets.streaming.feeds import apart, feed_facts, rule_facts

    feeds = apart(feed_facts)
    if replaying:
        _replay(feeds)
        return
    try:
        from ecom_assets.streaming import consumer
        from ecom_assets.streaming.kafka import Client
    except ModuleNotFoundError as error:
        raise click.ClickException(NEEDS_CLIENT.format(error.name)) from error
    from ecom_assets.landing.zone import Zone
    from ecom_assets.streaming.landing import Rotation
    from ecom_assets.streaming.rules import FEEDS
    from ecom_assets.streaming.telling import Telling
    from ecom_assets.streaming.watching import watching

    known = settings.load()
    named = consumer.stream_topics(topics, feeds)
    if not named:
        raise click.ClickException("Name the topics to consume, such as shop.events.")
    job = consumer.Job(
        named,
        Zone(known.landing),
        known.dead_letters,
        known.stream_status,
        known.calendar,
        known.time_zone,
        Rotation(seconds, megabytes << 20, records),
        until_end,
    )
    stopping = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stopping.set())
    with Telling(known.delivery) as telling:
        consuming = consumer.Consumer(job, Client(client_settings(known)), telling.told, stopping=stopping)
        if warns and {feed.name for feed in named.values()} & set(FEEDS):
            consuming.watch = watching(job, apart(rule_facts, known.snapshot), telling.warn)
        click.echo(f"Landing {', '.join(named)} in {known.landing}. Ctrl-C ends it.", err=True)
        consuming.run()
    letters = f", {consuming.letters:,} are dead letters" if consuming.letters else ""
    click.echo(f"{consuming.taken:,} records read{letters}. {consuming.problem}".rstrip())


def client_settings(known: settings.Settings) -> dict[str, str]:
    """Returns the settings of Kafka's client. Raises ClickException if there are none."""
    if not known.kafka:
        raise click.ClickException(
            f'Say where Kafka is: kafka = "broker:9092" in {known.data / settings.FILE}, or in ECOM_KAFKA.'
        )
    return {name: value.reveal() for name, value in known.kafka.items()}


def _replay(feeds: "dict[str, FeedFacts]") -> None:
    from ecom_assets.landing.zone import Zone
    from ecom_assets.streaming import dead_letters

    known = settings.load()
    today = dt.datetime.now(ZoneInfo(known.time_zone)).date()
    day = max(min(today, known.calendar.last), known.calendar.first)
    done = dead_letters.replay(Zone(known.landing), known.dead_letters, feeds, str(day))
    before = f"; {done.landed_before:,} had landed before" if done.landed_before else ""
    click.echo(f"{done.landed:,} dead letters have landed{before}. {len(done.left):,} still cannot.")
    for letter in done.left[:20]:
        stream = letter.stream
        click.echo(f"  {stream.topic}, partition {stream.partition}, offset {letter.record.offset}: {letter.reason}.")


@click.command("produce")
@click.argument("window", metavar="FROM..TO", type=Days())
@PRESET
@click.option("--prefix", default="shop.", show_default=True, help="What the names of topics begin with.")
@click.option("--feed", "feeds", multiple=True, help="Play all rows of this feed; may be repeated.")
@click.option("--speed", type=float, help="Times as fast as the shop's clock, such as 3600 for an hour a second.")
@click.option("--rate", type=float, help="Or records a second. As fast as can be by default.")
@click.option("--partitions", default=3, show_default=True, type=click.IntRange(1), help="Of topics that are created.")
@click.option("--late", default=0.0, type=click.FloatRange(0, 1), help="Share of records sent up to two days late.")
@click.option("--doubled", default=0.0, type=click.FloatRange(0, 1), help="Share of records sent twice.")
@click.option("--poisoned", default=0.0, type=click.FloatRange(0, 1), help="Share of records that poison follows.")
def produce(
    window: Window,
    preset: str | None,
    prefix: str,
    feeds: tuple[str, ...],
    speed: float | None,
    rate: float | None,
    partitions: int,
    late: float,
    doubled: float,
    poisoned: float,
) -> None:
    """Play days of the synthetic shop into Kafka's topics: what visitors do, and what the marketplace sells.

    The topics are named by their feeds: shop.events, shop.orders and so on.
    """
    try:
        from ecom_assets.streaming import producer
    except ModuleNotFoundError as error:
        raise click.ClickException(NEEDS_CLIENT.format(error.name)) from error

    known = settings.load()
    client, opened = client_settings(known), shop_of(window, preset)
    sent = producer.records(opened, window, feeds or None)
    if late or doubled or poisoned:
        sent = producer.disordered(sent, producer.Disorder(late, doubled, poisoned, opened.seed))
    named = {feed: f"{prefix}{feed}" for feed in feeds or (producer.EVENTS, *producer.SOLD)}
    count = producer.play(sent, client, named, speed, rate, partitions)
    click.echo(f"{count:,} records sent. To land them: ecom stream {' '.join(named.values())}")
