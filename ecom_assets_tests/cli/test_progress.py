"""How far long work is, as users see it."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from ecom_assets.cli import progress
from ecom_assets.cli.progress import Progress, watched
from ecom_assets.cli.terminal import TERMINAL, shown


class Clock:
    """A clock that stands still between two steps."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(
    ("seconds", "share", "line"),
    [
        (4, 0.5, " 50% after 0:04, now gold.fact_sales"),
        (60, 0.04, "  4% after 1:00, now gold.fact_sales"),
        (60, 0.5, " 50% after 1:00, now gold.fact_sales; about 60 s left"),
        (63, 0.5, " 50% after 1:03, now gold.fact_sales; about 60 s left"),
        (60, 0.99, " 99% after 1:00, now gold.fact_sales; about 10 s left"),
        (600, 0.25, " 25% after 10:00, now gold.fact_sales; about 30 min left"),
        (3600, 0.25, " 25% after 60:00, now gold.fact_sales; about 3.0 h left"),
        (60, 1.0, "100% after 1:00, now gold.fact_sales"),
    ],
)
def test_a_line_says_how_much_is_done_and_guesses_the_rest_no_more_exactly_than_it_can(
    clock: Clock, seconds: float, share: float, line: str
) -> None:
    found = Progress(clock=clock)
    found.told("gold.fact_sales", share)
    clock.now += seconds

    assert found.line() == line


def test_the_next_run_begins_anew_and_what_the_guess_is_of_is_said(clock: Clock) -> None:
    found = Progress(rest=" of this run", clock=clock)
    found.told("kpi.daily_sales", 0.9)
    clock.now += 1_000
    found.told("silver.orders", 0.0)
    clock.now += 10
    found.told("silver.orders", 0.5)

    assert found.line() == " 50% after 0:10, now silver.orders; about 10 s left of this run"


def work(told: Callable[[str, float], object]) -> str:
    """Two steps, each with a message."""
    for share in (0.0, 0.5):
        told(f"step {share}", share)
        logging.getLogger("ecom_assets.some").info("a message at %s", share)
        time.sleep(0.1)
    return "done"


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets progress be shown as soon as there is any."""
    monkeypatch.setattr(progress, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(progress, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)


@pytest.mark.usefixtures("often")
def test_a_log_file_gets_lines_beside_the_messages(capsys: pytest.CaptureFixture[str]) -> None:
    with shown(logging.INFO):
        assert watched(work) == "done"

    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if "message" in line] == ["a message at 0.0", "a message at 0.5"]
    assert any(line.startswith("Progress: 50% after 0:00, now step 0.5; about 10 s left.") for line in lines)


def test_a_log_file_gets_no_line_of_what_takes_less_than_five_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    with shown(logging.INFO):
        watched(work)

    assert "Progress" not in capsys.readouterr().err


@pytest.mark.usefixtures("often")
def test_a_terminal_gets_a_bar_below_the_messages_and_keeps_none(monkeypatch: pytest.MonkeyPatch) -> None:
    (ours, theirs), seen = os.openpty(), ""
    os.set_blocking(ours, False)
    with os.fdopen(theirs, "w") as screen:
        monkeypatch.setattr(sys, "stderr", screen)
        with shown(logging.INFO):
            watched(work)
        with suppress(BlockingIOError):
            while True:
                seen += os.read(ours, 100_000).decode()
    os.close(ours)

    lines, drawn = seen.replace("\r\n", "\n").split("\n"), seen.split("\x1b[K")
    assert any(bar.startswith("[############------------] 50% after 0:00, now step 0.5") for bar in drawn)
    assert [line.rpartition("\r\x1b[K")[2] for line in lines] == ["a message at 0.0", "a message at 0.5", ""]


@pytest.mark.usefixtures("often")
def test_nothing_is_shown_with_quiet_and_what_cannot_be_shown_ends_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with shown(logging.WARNING):
        watched(work)
    assert capsys.readouterr().err == ""

    monkeypatch.setattr(Progress, "line", lambda self: 1 / 0)
    with shown(logging.INFO):
        assert watched(work) == "done"


@pytest.mark.usefixtures("often")
def test_an_error_of_the_work_is_that_of_the_command() -> None:
    def broken(told: Callable[[str, float], object]) -> None:
        raise TimeoutError("the cause")

    with pytest.raises(TimeoutError, match="the cause"):
        watched(broken)


@pytest.mark.usefixtures("often")
def test_ctrl_c_ends_the_work_at_its_next_step(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, said = [], threading.Event()

    def two_steps(told: Callable[[str, float], object]) -> None:
        for step in ("first", "second"):
            told(step, 0.5)
            steps.append(step)
            os.kill(os.getpid(), signal.SIGINT)
            assert said.wait(60)

    say = TERMINAL.say

    def heard(text: str) -> None:
        say(text)
        if "Ctrl-C once more" in text:
            said.set()

    monkeypatch.setattr(TERMINAL, "say", heard)
    with pytest.raises(KeyboardInterrupt, match="this is so"):
        watched(two_steps, "this is so")

    assert steps == ["first"]
    assert "Ending as soon as this step is done" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_ends_the_process_at_once() -> None:
    code = """
import os, signal, time
from ecom_assets.cli.progress import watched

def work(told):
    os.kill(os.getpid(), signal.SIGINT)
    try:
        while True:
            told("until the first one is noticed", 0.5)
    except KeyboardInterrupt:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(600)

watched(work)
"""
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, timeout=300)

    assert (ended.returncode, ended.stdout) == (130, b"")
