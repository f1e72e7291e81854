"""Alerts of one cause are one message; what is told is told to be over, once; what was never told is not."""

import datetime as dt
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ecom_assets.alerting.events import Event, Key, Kind, Severity
from ecom_assets.alerting.incidents import (
    DIGEST_AFTER,
    MAX_MESSAGES,
    REPEAT_AFTER,
    STORAGE,
    UPDATE_AFTER,
    WAITING_FOR,
    Plan,
    State,
    Told,
    next_due,
    step,
)
from ecom_assets.alerting.silences import Silence
from ecom_assets.days import Window
from ecom_assets_tests.alerting import NOON, RULE, Events, on

A_MINUTE = dt.timedelta(minutes=1)


class Machine:
    """The incidents, a clock, and a channel that gets everything."""

    def __init__(self) -> None:
        self.state, self.now, self.silences = State(), NOON, list[Silence]()

    def step(self, *events: Event, after: dt.timedelta = A_MINUTE) -> list[Plan]:
        self.now += after
        plans = step(self.state, events, self.now, self.silences)
        for plan in plans:
            if plan.kind is not Told.REMINDER:
                plan.incidents[0].told |= {"file"}
        return plans

    def kinds(self, *events: Event, after: dt.timedelta = A_MINUTE) -> list[Told]:
        return [plan.kind for plan in self.step(*events, after=after)]


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def events() -> Events:
    return Events()


def test_what_fails_is_told_once_and_once_that_it_is_over(machine: Machine, events: Events) -> None:
    failed = events.fails("silver.orders")

    assert machine.kinds(failed) == [Told.FIRING]
    assert machine.kinds() == []
    assert machine.kinds(events.passes(failed)) == [Told.RESOLVED]
    assert machine.kinds() == []
    assert machine.state == State()


def test_what_is_over_before_it_was_told_is_never_told(machine: Machine, events: Events) -> None:
    failed = events.fails("silver.orders")

    assert machine.kinds(failed, events.passes(failed)) == []
    assert machine.kinds() == []


def test_what_no_channel_has_got_is_not_told_to_be_over(events: Events) -> None:
    state, failed = State(), events.fails("silver.orders")
    step(state, [failed], NOON)

    assert step(state, [events.passes(failed)], NOON + A_MINUTE) == []
    assert state == State()


def test_a_recovery_goes_to_the_channels_that_were_told(events: Events) -> None:
    state, failed = State(), events.fails("silver.orders")
    [plan] = step(state, [failed], NOON)
    plan.incidents[0].told = frozenset({"slack"})

    [over] = step(state, [events.passes(failed)], NOON + A_MINUTE)

    assert over.channels == {"slack"}


def test_days_of_a_table_are_one_message(machine: Machine, events: Events) -> None:
    [plan] = machine.step(*(events.fails("silver.orders", day) for day in range(1, 20)))

    assert len(plan.alerts) == 19


def test_equal_causes_in_a_layer_are_one_message_and_other_causes_another(machine: Machine, events: Events) -> None:
    missing = "A file arrives on each due day."
    found = [events.fails(f"bronze.{feed}", rule=missing) for feed in ("orders", "payments", "returns")]

    plans = machine.step(*found, events.fails("gold.dim_date", rule="another"))

    assert sorted(len(plan.alerts) for plan in plans) == [1, 3]


def test_what_a_bad_file_breaks_and_blocks_is_one_message(machine: Machine, events: Events) -> None:
    plans = machine.step(
        events.fails("silver.payments", 3, "order_id is in silver.orders", reads=("bronze.payments", "silver.orders")),
        events.fails("silver.orders", 2, "status is known", reads=("bronze.orders",)),
        events.blocked("gold.fact_sales", "silver.orders"),
        events.blocked("kpi.daily_sales", "gold.fact_sales"),
        events.misses("silver.orders"),
    )

    [plan] = plans
    assert len(plan.alerts) == 4
    assert plan.incidents[0].severity is Severity.CRITICAL


def test_what_waits_for_a_table_that_has_not_run_is_one_message(machine: Machine, events: Events) -> None:
    [plan] = machine.step(
        events.blocked("silver.order_items", "silver.orders"),
        events.blocked("gold.fact_sales", "silver.orders"),
        events.blocked("kpi.daily_sales", "gold.fact_sales"),
    )

    assert plan.incidents[0].severity is Severity.ERROR


def test_what_is_blocked_later_joins_in_silence(machine: Machine, events: Events) -> None:
    machine.step(events.fails("silver.orders"))

    assert machine.kinds(events.blocked("gold.fact_sales", "silver.orders"), after=UPDATE_AFTER) == []


def test_an_incident_is_over_when_all_that_it_blocked_has_run(machine: Machine, events: Events) -> None:
    failed, blocked = events.fails("silver.orders"), events.blocked("gold.fact_sales", "silver.orders")
    machine.step(failed, blocked)

    assert machine.kinds(events.passes(failed)) == []
    assert machine.kinds(events.passes(blocked)) == [Told.RESOLVED]


def test_more_of_the_same_cause_is_told_after_a_while_in_one_message(machine: Machine, events: Events) -> None:
    machine.step(events.fails("silver.orders", 2))

    assert machine.kinds(events.fails("silver.orders", 3)) == []
    assert machine.kinds(events.fails("silver.orders", 4)) == []
    [plan] = machine.step(after=UPDATE_AFTER)
    assert plan.kind is Told.UPDATE
    assert len(plan.alerts) == 3


def test_what_gets_worse_is_told_at_once(machine: Machine, events: Events) -> None:
    machine.step(events.misses("bronze.orders", rule="Every file is complete."))

    [plan] = machine.step(events.fails("bronze.orders", rule="Every file is complete."))
    assert plan.incidents[0].severity is Severity.CRITICAL


def test_another_fault_of_a_known_alert_is_told_and_another_number_of_rows_is_not(
    machine: Machine, events: Events
) -> None:
    first = events.fails("silver.orders")
    machine.step(first)

    more_rows = Event("box-more", NOON, first.key, first.severity, first.kind, rules={RULE: 3})
    assert machine.kinds(more_rows, after=UPDATE_AFTER) == []
    assert machine.kinds(events.fails("silver.orders", rule="another rule"), after=UPDATE_AFTER) == [Told.UPDATE]


def test_what_goes_on_is_repeated_as_a_count(machine: Machine, events: Events) -> None:
    machine.step(events.fails("silver.orders"), events.fails("kpi.daily_sales", rule="another"))

    assert machine.kinds(after=REPEAT_AFTER - A_MINUTE) == []
    [plan] = machine.step()
    assert plan.kind is Told.REMINDER
    assert len(plan.incidents) == len(plan.alerts) == 2
    assert machine.kinds() == []


def test_quarantined_rows_are_one_message_a_day_and_are_not_repeated(machine: Machine, events: Events) -> None:
    [plan] = machine.step(*(events.misses(f"silver.{table}") for table in ("orders", "payments")))
    assert len(plan.alerts) == 2

    assert machine.kinds(events.misses("silver.returns"), after=REPEAT_AFTER) == []
    assert machine.kinds(events.misses("silver.orders", 3), after=DIGEST_AFTER - REPEAT_AFTER - 2 * A_MINUTE) == []
    [plan] = machine.step(after=2 * A_MINUTE)
    assert len(plan.alerts) == 2


def test_rows_that_wait_are_told_if_what_they_refer_to_does_not_arrive(machine: Machine, events: Events) -> None:
    came, waits = (replace(events.misses(f"silver.{table}"), waits=True) for table in ("orders", "payments"))
    assert machine.step(came, waits) == []
    assert next_due(machine.state, machine.now) == waits.at + WAITING_FOR
    assert machine.kinds(events.passes(came), after=UPDATE_AFTER) == []

    [plan] = machine.step(after=WAITING_FOR)

    assert [alert.event for alert in plan.alerts] == [waits]
    assert machine.kinds(events.passes(waits)) == [Told.RESOLVED]


def test_rows_that_waited_and_are_bad_are_told_at_once(machine: Machine, events: Events) -> None:
    machine.step(replace(events.misses("silver.orders"), waits=True))

    [plan] = machine.step(events.misses("silver.orders"))

    assert len(plan.alerts) == 1


def test_a_digest_tells_no_changes(machine: Machine, events: Events) -> None:
    machine.step(events.misses("silver.orders"), missed := events.misses("silver.payments"))

    assert machine.kinds(events.misses("silver.orders", rule="another"), after=UPDATE_AFTER) == []
    assert machine.kinds(events.passes(missed), events.misses("silver.payments"), after=UPDATE_AFTER) == []


def test_a_failure_is_no_part_of_the_digest_and_ends_by_itself(machine: Machine, events: Events) -> None:
    missed, failed = events.misses("silver.orders", 3), events.fails("silver.orders", 2)
    machine.step(missed)

    assert machine.kinds(failed, events.misses("silver.orders", 2)) == [Told.FIRING]
    assert machine.kinds(events.passes(failed)) == [Told.RESOLVED]
    [plan] = machine.step(after=DIGEST_AFTER)
    assert [alert.event.key.day for alert in plan.alerts] == [on(2)]


def test_a_damaged_file_does_not_wait_for_the_digest(machine: Machine, events: Events) -> None:
    machine.step(events.misses("silver.orders"))

    [plan] = machine.step(events.misses("bronze.orders", rule="Every file is complete."))
    assert plan.incidents[0].severity is Severity.WARNING


def test_ten_thousand_failures_are_at_most_five_messages(machine: Machine, events: Events) -> None:
    found = [events.fails(f"gold.t{n}", day, f"rule {n}") for n in range(100) for day in range(1, 101)]

    plans = machine.step(*found)

    assert len(plans) <= MAX_MESSAGES
    assert sum(len(plan.alerts) for plan in plans) == 10_000
    over = [plan for _ in range(9) for plan in machine.step(*map(events.passes, found))]
    assert [plan.kind for plan in over] == [Told.RESOLVED] * len(plans)


def test_nothing_else_is_told_while_the_storage_cannot_be_reached(machine: Machine, events: Events) -> None:
    gone, failed = events.stops("data", STORAGE), events.fails("bronze.orders")

    [plan] = machine.step(failed, gone)
    assert plan.alerts[0].event == gone
    assert machine.kinds(events.passes(gone)) == [Told.FIRING, Told.RESOLVED]


# -- silences


def test_what_is_silent_is_told_once_the_silence_is_over(machine: Machine, events: Events) -> None:
    machine.silences = [Silence(1, "silver.*", Window(on(1), on(3)), machine.now + 10 * A_MINUTE, "known")]

    assert machine.kinds(events.fails("silver.orders", 2), events.blocked("gold.sales", "silver.orders", 2)) == []
    assert machine.kinds(events.fails("silver.orders", 4)) == [Told.FIRING]
    assert next_due(machine.state, machine.now, machine.silences) == NOON + 10 * A_MINUTE
    assert machine.kinds(after=10 * A_MINUTE) == [Told.UPDATE]


def test_what_was_told_before_it_was_silenced_is_told_to_be_over(machine: Machine, events: Events) -> None:
    failed = events.fails("silver.orders")
    machine.step(failed)
    machine.silences = [Silence(1, "*", None, machine.now + 10 * REPEAT_AFTER, "known")]

    assert machine.kinds(after=REPEAT_AFTER) == []
    assert machine.kinds(events.passes(failed)) == [Told.RESOLVED]


# -- whatever happens

TABLES = {
    "bronze.a": (),
    "silver.a": ("bronze.a",),
    "silver.b": ("silver.a",),
    "gold.a": ("silver.a", "silver.b"),
    "kpi.a": ("gold.a",),
}
KEYS = [Key(check, table, on(day)) for check in ("contract", "expectations") for table in TABLES for day in (1, 2)]
KEYS += [Key("run", "pipeline"), Key(STORAGE, "data")]


class Incidents(RuleBasedStateMachine):
    """Random verdicts, channels that take messages or do not, silences and time."""

    @initialize()
    def begin(self) -> None:
        self.state, self.now, self.number = State(), NOON, 0
        self.silences: list[Silence] = []
        self.failing: dict[Key, Event] = {}
        self.fired: dict[tuple[str, str], Counter[Told]] = {}
        self.told_keys: dict[str, set[Key]] = {}

    @rule(
        verdicts=st.lists(
            st.tuples(st.sampled_from(KEYS), st.sampled_from(["good", "bad", "worse", "blocked"])), max_size=8
        ),
        minutes=st.sampled_from([0, 1, 6, 250, 1500]),
        takes=st.frozensets(st.sampled_from(["file", "slack"])),
    )
    def happens(self, verdicts: list[tuple[Key, str]], minutes: int, takes: frozenset[str]) -> None:
        self.now += minutes * A_MINUTE
        events = [self._event(key, how) for key, how in verdicts]
        for event in events:
            if event.passes:
                self.failing.pop(event.key, None)
            else:
                self.failing[event.key] = event
        before = {id: incident.told for id, incident in self.state.incidents.items()}
        plans = step(self.state, events, self.now, self.silences)

        assert len(plans) <= MAX_MESSAGES
        assert len({plan.id for plan in plans}) == len(plans)
        for plan in plans:
            self._check(plan, before)
            if plan.kind is not Told.REMINDER:
                channels = takes if plan.channels is None else plan.channels
                for channel in channels:
                    self.fired.setdefault((plan.incidents[0].id, channel), Counter())[plan.kind] += 1
                plan.incidents[0].told |= channels
        if not any(key.check == STORAGE for key in self.failing):
            waiting = [key for key, alert in self.state.alerts.items() if alert.incident is None]
            assert all(self._may_wait(key) for key in waiting)

    def _may_wait(self, key: Key) -> bool:
        """Whether it is silent, a matter of the digest, or blocked, perhaps by what is silent."""
        return self.failing[key].kind in (Kind.MISSED, Kind.BLOCKED) or self._is_silent(key)

    def _is_silent(self, key: Key) -> bool:
        return any(silence.covers(key, self.now) for silence in self.silences)

    def _event(self, key: Key, how: str) -> Event:
        self.number += 1
        id, upstream = f"box-{self.number}", TABLES.get(key.table, ())
        if how == "good":
            return Event(id, self.now, key, None)
        if key.day is None:
            return Event(id, self.now, key, Severity.CRITICAL, Kind.PLATFORM, how)
        if key.check == "expectations":
            return Event(id, self.now, key, Severity.WARNING, Kind.MISSED, rules={how: 1}, upstream=upstream)
        if how == "blocked" and upstream:
            return Event(
                id, self.now, key, Severity.ERROR, Kind.BLOCKED, how, upstream=upstream, blocked_by=upstream[0]
            )
        return Event(id, self.now, key, Severity.CRITICAL, rules={how: 1}, upstream=upstream)

    def _check(self, plan: Plan, before: dict[str, frozenset[str]]) -> None:
        if plan.kind is Told.RESOLVED:
            assert plan.channels == before[plan.incidents[0].id] != frozenset()
            assert all(alert.resolved_at for alert in plan.alerts)
        else:
            assert any(not alert.resolved_at for alert in plan.alerts)
        if plan.kind is Told.FIRING and not before.get(plan.incidents[0].id):
            assert not all(self._is_silent(alert.event.key) for alert in plan.alerts)

    @rule(table=st.sampled_from(["silver.*", "*.a", "pipeline"]), minutes=st.sampled_from([5, 300]))
    def silence(self, table: str, minutes: int) -> None:
        self.silences.append(Silence(1, table, None, self.now + minutes * A_MINUTE, "known"))

    @invariant()
    def what_fails_is_known(self) -> None:
        if hasattr(self, "failing"):
            open_alerts = {key: alert.event for key, alert in self.state.alerts.items() if not alert.resolved_at}
            assert open_alerts == self.failing
            assert {alert.incident for alert in self.state.alerts.values()} - {None} == self.state.incidents.keys()

    @invariant()
    def no_channel_hears_twice_or_wrongly_that_it_is_over(self) -> None:
        for (id, _), count in getattr(self, "fired", {}).items():
            assert count[Told.RESOLVED] <= 1
            assert count[Told.FIRING] + count[Told.UPDATE] >= count[Told.RESOLVED]
            assert not count[Told.RESOLVED] or id not in self.state.incidents

    def teardown(self) -> None:
        """In the end all is well, and every channel that was told of something hears so, once."""
        if not hasattr(self, "failing"):
            return
        self.happens([(key, "good") for key in list(self.failing)], 0, frozenset())
        for _ in range(len(KEYS)):
            self.happens([], 1, frozenset())
        assert self.state.alerts == {}
        assert self.state.incidents == {}
        assert all(count[Told.RESOLVED] == 1 for count in self.fired.values())


Incidents.TestCase.settings = settings(max_examples=150, stateful_step_count=25)
TestWhateverHappens = Incidents.TestCase
