"""The command that exports the snapshot."""

from pathlib import Path

import click

from ecom_assets import settings
from ecom_assets.cli.progress import watched

FORMATS = ("parquet", "csv", "hyper", "pbip", "osi", "odcs", "openlineage")
"""Those of `exports.export`, which takes too long to import for `ecom --help`."""


@click.command("export")
@click.option("--to", "folder", required=True, type=click.Path(path_type=Path), help="Folder that holds nothing else.")
@click.option("--format", "formats", multiple=True, type=click.Choice(FORMATS), help="By default parquet and csv.")
def export(folder: Path, formats: tuple[str, ...]) -> None:
    """Write the star schema and the measures to files in FOLDER, with a manifest.

    An export that is in the folder is replaced as a whole: until the end, and if this is killed, the old one is there.
    All files are of one snapshot: of what was last published.
    """
    from ecom_assets import catalog
    from ecom_assets.exports.export import export as write
    from ecom_assets.exports.formats import DEFAULT_FORMATS

    known, chosen = settings.load(), formats or DEFAULT_FORMATS
    written = watched(
        lambda told: write(known.snapshot, catalog.tables(), folder, chosen, known.memory_limit, told),
        ended="nothing has been exported",
    )
    click.echo(
        f"Exported snapshot {written.snapshot} to {folder}: {written.files:,} files, {written.rows:,} rows, "
        f"{written.bytes / 1e6:,.1f} MB."
    )
