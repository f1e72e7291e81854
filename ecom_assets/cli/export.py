"""The command that exports the snapshot."""

from pathlib import Path

import click

from ecom_assets import settings
from ecom_assets.cli.progress import watched
from ecom_assets.postgres.connection import SCHEMES, is_address, refuse_password

FORMATS = ("parquet", "csv", "hyper", "pbip", "osi", "odcs", "openlineage")
"""Those of `exports.export`, which takes too long to import for `ecom --help`."""


@click.command("export")
@click.option("--to", "place", required=True, help="Folder that holds nothing else, or postgres://USER@HOST/DATABASE.")
@click.option("--format", "formats", multiple=True, type=click.Choice(FORMATS), help="By default parquet and csv.")
def export(place: str, formats: tuple[str, ...]) -> None:
    """Write the star schema and the measures to files in a folder, with a manifest, or to a PostgreSQL database.

    An export that is in the folder is replaced as a whole: until the end, and if this is killed, the old one is there.
    In a database, days with other rows are replaced, in one transaction. All is of one snapshot: of what was last
    published. What an address leaves out, such as the password, comes from PGPASSWORD, ~/.pgpass and so on;
    postgres:// alone is the database of the settings, if they name one.
    """
    from ecom_assets import catalog
    from ecom_assets.exports.export import export as write
    from ecom_assets.exports.formats import DEFAULT_FORMATS
    from ecom_assets.exports.postgres import publish

    known = settings.load()
    if is_address(place):
        if formats:
            raise click.UsageError("--format is for folders.")
        refuse_password(place)
        address = known.postgres.reveal() if place in SCHEMES and known.postgres else place
        published = watched(
            lambda told: publish(known.snapshot, catalog.tables(), address, known.memory_limit, told),
            ended="the database is as it was",
        )
        click.echo(published)
        return
    folder, chosen = Path(place), formats or DEFAULT_FORMATS
    written = watched(
        lambda told: write(known.snapshot, catalog.tables(), folder, chosen, known.memory_limit, told),
        ended="nothing has been exported",
    )
    click.echo(
        f"Exported snapshot {written.snapshot} to {folder}: {written.files:,} files, {written.rows:,} rows, "
        f"{written.bytes / 1e6:,.1f} MB."
    )
