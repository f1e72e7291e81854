"""Commands for the HTTP API: the server, and the keys that it takes."""

import datetime as dt

import click

from ecom_assets import settings
from ecom_assets.api.keys import SCOPES
from ecom_assets.cli.ports import HOST, check_port, port_option


@click.command("api")
@click.option(
    "--host", default=HOST, show_default=True, help="Address to listen on; others than this machine need keys."
)
@port_option(settings.API_PORT)
@click.option("--sql", is_flag=True, help="Also answer queries in SQL, at /sql.")
def api(host: str, port: int, sql: bool) -> None:
    """Serve what was last published over HTTP, and land what clients write; Ctrl-C ends it.

    /openapi.json describes it. Without any key (ecom api-key create) only this machine can reach it.
    """
    try:
        import uvicorn

        from ecom_assets.api.app import LOOPBACK, application
    except ModuleNotFoundError as error:
        raise click.ClickException(f"The API needs {error.name}: pip install 'ecom_assets[serving]'") from error
    from ecom_assets import catalog
    from ecom_assets.api.keys import keys

    known = settings.load()
    if host not in LOOPBACK and not any(key.holds(dt.datetime.now(dt.UTC)) for key in keys(known.api_keys)):
        raise click.ClickException(f"Everybody could read from {host}: make a key first, ecom api-key create NAME.")
    check_port("api", port, host)
    click.echo(f"The API is on http://{host}:{port}. Ctrl-C ends it.")
    app = application(known, catalog.tables(), host, sql)
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False, server_header=False)


@click.group("api-key")
def api_key() -> None:
    """Make, list and revoke keys of the API. Once there is one, each request needs one."""


@api_key.command("create")
@click.argument("name")
@click.option("--days", type=click.IntRange(1, 3650), help="Days until it expires; never by default.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=SCOPES[:1],
    show_default=True,
    type=click.Choice(SCOPES),
    help="What it may do; may be repeated.",
)
def create(name: str, days: int | None, scopes: tuple[str, ...]) -> None:
    """Make a key for NAME, and show it once."""
    from ecom_assets.api import keys

    now = dt.datetime.now(dt.UTC)
    until = now + dt.timedelta(days=days) if days else None
    click.echo(keys.create(settings.load().api_keys, name, now, until, scopes))


@api_key.command("list")
def listed() -> None:
    """List keys: id, first characters, name, and until when they hold."""
    from ecom_assets.api import keys

    now = dt.datetime.now(dt.UTC)
    for key in keys.keys(settings.load().api_keys):
        until = f"until {key.expires_at:%Y-%m-%d}" if key.expires_at else "for ever"
        state = "revoked" if key.revoked_at else until if key.holds(now) else "expired"
        click.echo(f"{key.id}  {key.shown}…  {key.name}  {', '.join(key.scopes)}  {state}")


@api_key.command("revoke")
@click.argument("id")
def revoke(id: str) -> None:
    """Revoke the key with this ID."""
    from ecom_assets.api import keys

    found = keys.revoke(settings.load().api_keys, id, dt.datetime.now(dt.UTC))
    click.echo(f"{found.name}'s key {found.shown}… is revoked.")
