"""The store of alerts: a small SQLite file that any process can read and write at any time, also during a run.

It has the events that were relayed to it, the open alerts and incidents, what is silent, and which message reached
which channel.
"""

import datetime as dt
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ecom_assets.alerting.events import Event, Key, Severity
from ecom_assets.alerting.incidents import Alert, Incident, State
from ecom_assets.alerting.messages import Message
from ecom_assets.alerting.silences import Silence
from ecom_assets.days import Window

BUSY_SECONDS = 10.0
HELD = dt.timedelta(minutes=5)
"""The longest time that events wait for the end of their run, so that one message tells what has one cause."""
KEPT = dt.timedelta(days=90)
_SCHEMA = """
    create table if not exists facts (name text primary key, value text);
    create table if not exists events (
        seq integer primary key, id text unique, outbox text, number integer, held integer, relayed_at text,
        taken_at text, body text);
    create index if not exists open_events on events (seq) where taken_at is null;
    create index if not exists outboxes on events (outbox, number);
    create table if not exists alerts (check_name text, table_name text, day text, body text,
        primary key (check_name, table_name, day));
    create table if not exists incidents (id text primary key, closed_at text, body text);
    create table if not exists messages (seq integer primary key, id text unique, incident text, at text, body text);
    create index if not exists incident_messages on messages (incident);
    create table if not exists deliveries (
        message text, channel text, status text, attempts integer, next_try text, error text, sent_at text,
        primary key (message, channel));
    create index if not exists due_deliveries on deliveries (status) where status in ('pending', 'trying');
    create table if not exists silences (
        id integer primary key, tables text, first text, last text, until text, reason text, made_at text);
"""


_WAITS_NO_LONGER = "taken_at is null and (held = 0 or relayed_at <= ?)"
"""Condition on events. Its parameter is the moment before which an event was relayed that is held no longer."""


class AlertStore:
    """A connection to the store. Moments are in UTC. All methods may raise sqlite3.Error."""

    def __init__(self, con: sqlite3.Connection) -> None:
        self.con = con

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Runs the block as one transaction, alone among all writers."""
        self.con.execute("begin immediate")
        try:
            yield
            self.con.execute("commit")
        except BaseException:
            self.con.execute("rollback")
            raise

    # -- events

    def last_number(self, outbox: str) -> int:
        """Returns the number of the last event that was relayed from an outbox; 0 if none was."""
        return int(self._one("select coalesce(max(number), 0) from events where outbox = ?", outbox))

    def add(
        self, events: Iterable[Event], now: dt.datetime, outbox: str = "", first: int = 0, held: bool = False
    ) -> int:
        """Adds the events that are not known yet, by id, and returns their number. `first` is that of the first event.

        Held events wait until `release` is called, at most for HELD.
        """
        rows = [
            (event.id, outbox or None, first + n if outbox else None, int(held), _text(now), event.to_json())
            for n, event in enumerate(events)
        ]
        if not rows:
            return 0
        with self.transaction():
            before = self.con.total_changes
            self.con.executemany(
                "insert or ignore into events (id, outbox, number, held, relayed_at, body) values (?, ?, ?, ?, ?, ?)",
                rows,
            )
            return self.con.total_changes - before

    def release(self) -> None:
        """Ends the wait of held events: their run is over."""
        with self.transaction():
            self.con.execute("update events set held = 0 where taken_at is null and held = 1")

    def take(self, now: dt.datetime) -> list[Event]:
        """Returns the events that wait no longer, in order, and marks them as taken. To be called in a transaction."""
        rows = self.con.execute(
            f"select body from events where {_WAITS_NO_LONGER} order by seq", [_text(now - HELD)]
        ).fetchall()
        if rows:
            self.con.execute(
                f"update events set taken_at = ? where {_WAITS_NO_LONGER}", [_text(now), _text(now - HELD)]
            )
        return [Event.from_json(body) for (body,) in rows]

    def has_events(self, now: dt.datetime) -> bool:
        """Returns whether any event waits no longer."""
        return bool(self._one(f"select exists (select 1 from events where {_WAITS_NO_LONGER})", _text(now - HELD)))

    # -- alerts and incidents

    def load(self) -> State:
        """Returns the open alerts and incidents."""
        told: dict[str, set[str]] = {}
        for incident, channel in self.con.execute(
            "select m.incident, d.channel from incidents i join messages m on m.incident = i.id "
            "join deliveries d on d.message = m.id "
            "where i.closed_at is null and d.status in ('trying', 'unsure', 'sent')"
        ):
            told.setdefault(incident, set()).add(channel)
        incidents = {}
        for id, body in self.con.execute("select id, body from incidents where closed_at is null order by rowid"):
            incidents[id] = _incident(json.loads(body), frozenset(told.get(id, ())))
        alerts = {}
        for (body,) in self.con.execute("select body from alerts order by rowid"):
            alert = _alert(json.loads(body))
            alerts[alert.event.key] = alert
        digest_at = self.fact("digest_at")
        return State(alerts, incidents, _moment(digest_at) if digest_at else None)

    def failing(self, checks: Sequence[str] = ()) -> list[Event]:
        """Returns the last event of each check that fails, taken or not; only of some checks if they are given."""
        which = f"where check_name in ({', '.join('?' * len(checks))})" if checks else ""
        alerts = (_alert(json.loads(body)) for (body,) in self.con.execute(f"select body from alerts {which}", checks))
        found = {alert.event.key: alert.event for alert in alerts if not alert.resolved_at}
        for (body,) in self.con.execute("select body from events where taken_at is null order by seq"):
            event = Event.from_json(body)
            if event.passes:
                found.pop(event.key, None)
            elif not checks or event.key.check in checks:
                found[event.key] = event
        return list(found.values())

    def open_incidents(self) -> list[tuple[Message, dt.datetime]]:
        """Returns the last message about each open incident, and when it was opened; the worst and oldest first."""
        rows = self.con.execute(
            "select m.body, i.body from incidents i join messages m on m.seq = "
            "(select max(n.seq) from messages n where n.incident = i.id) where i.closed_at is null"
        )
        found = [(Message.from_json(message), json.loads(incident)) for message, incident in rows]
        opened = [(message, _moment(incident["opened_at"])) for message, incident in found]
        return sorted(opened, key=lambda one: (one[0].severity.rank, one[1]))

    def save(self, before: State, state: State, now: dt.datetime) -> None:
        """Stores what differs from before. To be called in a transaction."""
        gone = before.alerts.keys() - state.alerts.keys()
        self.con.executemany(
            "delete from alerts where check_name = ? and table_name = ? and day = ?", [_place(key) for key in gone]
        )
        self.con.executemany(
            "insert into alerts values (?, ?, ?, ?) on conflict do update set body = excluded.body",
            [
                (*_place(key), _alert_text(alert))
                for key, alert in state.alerts.items()
                if before.alerts.get(key) != alert
            ],
        )
        for id, incident in state.incidents.items():
            if before.incidents.get(id) != incident:
                self.con.execute(
                    "insert into incidents values (?, null, ?) on conflict do update set body = excluded.body",
                    [id, _incident_text(incident)],
                )
        for id in before.incidents.keys() - state.incidents.keys():
            self.con.execute("update incidents set closed_at = ? where id = ?", [_text(now), id])
            self._drop(id)
        if state.digest_at:
            self.set_fact("digest_at", _text(state.digest_at))

    def _drop(self, incident: str) -> None:
        """Give up what was not sent of an incident: what is sent next says more, or it is over.

        What was being sent when a process was killed may have arrived: its channel has to hear of the end.
        """
        self.con.execute(
            "update deliveries set status = iif(status = 'trying', 'unsure', 'dropped') "
            "where status in ('pending', 'trying') and message in (select id from messages where incident = ?)",
            [incident],
        )

    def queue(self, message: Message, channels: Iterable[str]) -> None:
        """Queues a message, in place of what was not sent of its incident. To be called in a transaction."""
        self._drop(message.incident)
        self.con.execute(
            "insert into messages (id, incident, at, body) values (?, ?, ?, ?)",
            [message.id, message.incident, message.at, message.to_json()],
        )
        self.con.executemany(
            "insert into deliveries values (?, ?, 'pending', 0, '', null, null)",
            [(message.id, channel) for channel in channels],
        )

    def is_known(self, id: str) -> bool:
        """Returns whether there is a message with this id."""
        return bool(self._one("select exists (select 1 from messages where id = ?)", id))

    # -- deliveries

    def due(self, now: dt.datetime, longest: dt.timedelta) -> list[tuple[Message, str, int]]:
        """Returns the messages to send now, with channel and number of attempts, in order.

        One that is to be tried in more than the longest time between two tries is due: the clock was set back.
        """
        rows = self.con.execute(
            "select m.body, d.channel, d.attempts from deliveries d join messages m on m.id = d.message "
            "where d.status in ('pending', 'trying') and d.next_try not between ? and ? order by m.seq",
            [_text(now + dt.timedelta(microseconds=1)), _text(now + longest)],
        ).fetchall()
        return [(Message.from_json(body), channel, attempts) for body, channel, attempts in rows]

    def mark(
        self, message: Message, channel: str, status: str, *, error: str = "", next_try: dt.datetime | None = None
    ) -> None:
        """Records what became of a delivery: trying (it may arrive), sent, pending (it did not arrive) or refused.

        An attempt is counted when it begins.
        """
        more = ", attempts = attempts + 1" if status == "trying" and not error else ""
        sent = _text(dt.datetime.now(dt.UTC)) if status == "sent" else None
        with self.transaction():
            self.con.execute(
                f"update deliveries set status = ?, error = ?, next_try = ?, sent_at = ?{more} "
                "where message = ? and channel = ?",
                [status, error or None, _text(next_try) if next_try else "", sent, message.id, channel],
            )

    def undelivered(self) -> list[tuple[str, str, str]]:
        """Returns channel, moment and last error of the oldest message that each channel has failed to take."""
        return self.con.execute(
            "select d.channel, min(m.at), d.error from deliveries d join messages m on m.id = d.message "
            "where d.status in ('pending', 'trying') and d.attempts > 0 group by d.channel"
        ).fetchall()

    def delivery_seconds(self, since: dt.datetime) -> list[float]:
        """Returns how long each message that arrived since a moment took from when it was made."""
        rows = self.con.execute(
            "select m.at, d.sent_at from deliveries d join messages m on m.id = d.message where d.sent_at >= ?",
            [_text(since)],
        ).fetchall()
        return [(_moment(sent) - dt.datetime.fromisoformat(made)).total_seconds() for made, sent in rows]

    def last_messages(self, channel: str, since: dt.datetime) -> list[Message]:
        """Returns the last message that a channel got of each incident that is open, or was resolved since."""
        rows = self.con.execute(
            "select m.body from messages m join deliveries d on d.message = m.id join incidents i on i.id = m.incident "
            "where d.channel = ? and d.status = 'sent' and (i.closed_at is null or i.closed_at >= ?) "
            "and m.seq = (select max(n.seq) from messages n join deliveries e on e.message = n.id "
            "where n.incident = m.incident and e.channel = d.channel and e.status = 'sent') order by m.seq",
            [channel, _text(since)],
        ).fetchall()
        return [Message.from_json(body) for (body,) in rows]

    # -- silences

    def silence(self, tables: str, days: Window | None, until: dt.datetime, reason: str, now: dt.datetime) -> int:
        """Adds a silence and returns its number."""
        with self.transaction():
            span = [str(days.first), str(days.last)] if days else [None, None]
            cursor = self.con.execute(
                "insert into silences (tables, first, last, until, reason, made_at) values (?, ?, ?, ?, ?, ?)",
                [tables, *span, _text(until), reason, _text(now)],
            )
            self.set_fact("due", "")
            return int(cursor.lastrowid or 0)

    def unsilence(self, id: int) -> bool:
        """Ends a silence. Returns whether there is one of that number."""
        with self.transaction():
            self.set_fact("due", "")
            return self.con.execute("delete from silences where id = ?", [id]).rowcount > 0

    def silences(self, now: dt.datetime) -> list[Silence]:
        """Returns the silences that are not over."""
        rows = self.con.execute(
            "select id, tables, first, last, until, reason from silences where until > ? order by id", [_text(now)]
        )
        return [
            Silence(id, tables, Window.parse(f"{first}..{last}") if first else None, _moment(until), reason)
            for id, tables, first, last, until, reason in rows
        ]

    # -- facts

    def fact(self, name: str) -> str | None:
        """Returns what was last recorded under a name; None if nothing was."""
        row = self.con.execute("select value from facts where name = ?", [name]).fetchone()
        return row[0] if row else None

    def set_fact(self, name: str, value: str) -> None:
        """Records a value under a name."""
        self.con.execute(
            "insert into facts values (?, ?) on conflict do update set value = excluded.value", [name, value]
        )

    def prune(self, now: dt.datetime) -> None:
        """Forget what has been over for KEPT. The last event of each outbox stays. To be called in a transaction."""
        then = _text(now - KEPT)
        self.con.execute(
            "delete from events where taken_at < ? and (outbox is null or number < "
            "(select max(number) from events e where e.outbox = events.outbox))",
            [then],
        )
        is_open = "incident in (select id from incidents where closed_at is null)"
        old = f"(select id from messages where at < ? and not {is_open})"
        self.con.execute(f"delete from deliveries where message in {old}", [then])
        self.con.execute(f"delete from messages where id in {old}", [then])
        self.con.execute("delete from incidents where closed_at < ?", [then])
        self.con.execute("delete from silences where until < ?", [then])

    def _one(self, query: str, *values: Any) -> Any:
        return self.con.execute(query, values).fetchone()[0]


@contextmanager
def open_store(path: Path) -> Iterator[AlertStore]:
    """Opens the store, and makes it if there is none. Raises sqlite3.Error, OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as con:
        if con.execute("pragma user_version").fetchone() != (1,):
            con.execute("pragma journal_mode = wal")
            con.executescript(f"begin immediate; {_SCHEMA} pragma user_version = 1; commit;")
        con.execute("pragma synchronous = normal")
        yield AlertStore(con)


def _text(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _moment(text: str) -> dt.datetime:
    return dt.datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=dt.UTC)


def _place(key: Key) -> tuple[str, str, str]:
    return key.check, key.table, str(key.day or "")


def _alert_text(alert: Alert) -> str:
    moments = {name: _text(at) if (at := getattr(alert, name)) else None for name in ("since", "resolved_at")}
    return json.dumps({"event": alert.event.to_json(), "incident": alert.incident, **moments})


def _alert(known: dict[str, Any]) -> Alert:
    resolved_at = _moment(known["resolved_at"]) if known["resolved_at"] else None
    return Alert(Event.from_json(known["event"]), _moment(known["since"]), known["incident"], resolved_at)


def _incident_text(incident: Incident) -> str:
    moments = {name: _text(at) if (at := getattr(incident, name)) else None for name in ("opened_at", "told_at")}
    return json.dumps({**asdict(incident), "told": None, **moments})


def _incident(known: dict[str, Any], told: frozenset[str]) -> Incident:
    told_at = _moment(known["told_at"]) if known["told_at"] else None
    moments = {"opened_at": _moment(known["opened_at"]), "told_at": told_at}
    return Incident(**{**known, "severity": Severity(known["severity"]), "told": told, **moments})
