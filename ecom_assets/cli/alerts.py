"""Commands about alerts: what is open, what is silent, and whether alerting itself works."""

import datetime as dt
import re

import click

from ecom_assets import settings
from ecom_assets.cli.group import Days
from ecom_assets.days import Window

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
LONGEST = dt.timedelta(days=366)


class Duration(click.ParamType):
    """A time such as 30m, 4h or 2d."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> dt.timedelta:
        if isinstance(value, dt.timedelta):
            return value
        found = re.fullmatch(r"(\d{1,4})([mhd])", str(value))
        length = dt.timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else dt.timedelta(0)
        if not dt.timedelta(0) < length <= LONGEST:
            self.fail(f"“{value}” is no time of at most a year. Write 30m, 4h or 2d.", param, ctx)
        return length


@click.group("alerts", invoke_without_command=True)
@click.option("--check", is_flag=True, help="Say only whether alerting works; exit with 1 if it does not.")
@click.pass_context
def alerts(ctx: click.Context, check: bool) -> None:
    """List open incidents and silences, and say whether alerting works."""
    if ctx.invoked_subcommand:
        return
    from ecom_assets.alerting.delivery import health

    known, now = settings.load(), dt.datetime.now(dt.UTC)
    found = health(known.alert_store, now)
    if not check and known.alert_store.exists():
        _list(known, now)
    if found.problems:
        for problem in found.problems:
            click.echo(f"critical: {problem}", err=not check)
        ctx.exit(1 if check else 0)
    if found.last_tick:
        click.echo(f"Alerting works: it last ran {_ago(now - found.last_tick)} ago.")


def _list(known: settings.Settings, now: dt.datetime) -> None:
    from ecom_assets.alerting.store import open_store

    with open_store(known.alert_store) as store:
        found, silences = store.open_incidents(), store.silences(now)
    for message, opened_at in found:
        click.echo(f"{message.severity:8} since {_moment(opened_at)}  {message.what}")
        for line in message.lines():
            click.echo(f"         {line}")
    if not found:
        click.echo("No incident is open.")
    for silence in silences:
        days = f" on {silence.days}" if silence.days else ""
        click.echo(f"silence {silence.id}: {silence.tables}{days} until {_moment(silence.until)}: {silence.reason}")


@alerts.command("silence")
@click.argument("tables")
@click.option("--days", type=Days(), help="Only these days; otherwise all.")
@click.option("--for", "length", type=Duration(), required=True, help="How long, such as 30m, 4h or 2d.")
@click.option("--reason", required=True, help="Why, for those who wonder.")
def silence(tables: str, days: Window | None, length: dt.timedelta, reason: str) -> None:
    """Send no messages about TABLES, a table or a pattern such as "silver.*", for a while.

    What still fails then is told.
    """
    from ecom_assets.alerting.store import open_store

    now = dt.datetime.now(dt.UTC)
    with open_store(settings.load().alert_store) as store:
        number = store.silence(tables, days, now + length, reason, now)
    click.echo(f"Silence {number} until {_moment(now + length)}; ecom alerts unsilence {number} ends it.")


@alerts.command("unsilence")
@click.argument("number", type=int)
def unsilence(number: int) -> None:
    """End a silence."""
    from ecom_assets.alerting.store import open_store

    with open_store(settings.load().alert_store) as store:
        if not store.unsilence(number):
            raise click.ClickException(f"There is no silence {number}; ecom alerts lists them.")
    click.echo(f"Silence {number} is over.")


@alerts.command("test")
def test() -> None:
    """Send a test message to every channel."""
    from ecom_assets.alerting.delivery import send_test

    problems = send_test(settings.load().delivery, dt.datetime.now(dt.UTC))
    for name, problem in problems.items():
        click.echo(f"{name}: {problem or 'sent'}")
    if any(problems.values()):
        raise click.ClickException("Not every channel has taken the message.")


def _moment(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _ago(length: dt.timedelta) -> str:
    seconds = max(0, int(length.total_seconds()))
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
