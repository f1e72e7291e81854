"""Commands that write pages to be read in a browser, without a server."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import click

from ecom_assets import settings
from ecom_assets.cli.progress import watched

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("profile")
@click.argument("tables", nargs=-1)
@click.option("--to", "folder", type=FOLDER, help="Folder to write to; data/profiles by default.")
def profile(tables: tuple[str, ...], folder: Path | None) -> None:
    """Write a profile of each published table, or of TABLES: nulls, distinct values, quantiles, histograms.

    All figures are exact, of all rows of what was last published; of personal columns no value is shown. What has
    changed since the profile of the snapshot before, which the folder keeps, is said first.
    """
    from ecom_assets import catalog
    from ecom_assets.documentation import profiles
    from ecom_assets.serving.snapshot import open_snapshot

    known = settings.load()
    to = folder or known.profiles

    def write(told: Callable[[str, float], object]) -> list[profiles.Shown]:
        with open_snapshot(known.snapshot) as con:
            names = [name.replace("/", ".") for name in tables]
            return profiles.write(con, list(catalog.tables()), to, known.currency, names, told)

    made = watched(write)
    for shown in made:
        for line in shown.changed:
            click.echo(f"{shown.now.table}: {line}")
    click.echo(f"Wrote {len(made)} profiles: {to / 'index.html'}")


@click.command("docs")
@click.option("--to", "folder", type=FOLDER, help="Folder to write to; data/catalogue by default.")
def docs(folder: Path | None) -> None:
    """Write the catalogue of tables and columns as a site of static pages: search, lineage, relations, checks.

    It is made from the declarations, with the quality of what was last published and the profiles in data/profiles, if
    there are any.
    """
    from ecom_assets import catalog
    from ecom_assets.documentation import site
    from ecom_assets.serving.snapshot import open_snapshot

    known = settings.load()
    to = folder or known.catalogue

    def write(told: Callable[[str, float], object]) -> list[site.TableShown]:
        with open_snapshot(known.snapshot) if known.snapshot.exists() else nullcontext() as con:
            return site.write(catalog.tables(), to, known.currency, known.profiles, con, told)

    click.echo(f"Wrote {len(watched(write))} tables: {to / 'index.html'}")
