"""`python -m bench [SECTION …]`: measures, prints the figures and saves them in results.md and results.json."""

from pathlib import Path

import click

from bench import results
from bench.peers.stacks import Unavailable, has_environment
from bench.sections import FOLDER, NEED_PEERS, SECTIONS, Bench


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("sections", nargs=-1, type=click.Choice(list(SECTIONS)))
@click.option("--scale", default=1.0, show_default=True, type=click.FloatRange(min=0, min_open=True, max=1))
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--folder",
    default=FOLDER,
    show_default=False,
    type=click.Path(path_type=Path, file_okay=False),
    help="Working folder; landing zones are kept there for the next time. Default: ecom-bench in the temporary folder.",
)
def main(sections: tuple[str, ...], scale: float, repeats: int, folder: Path) -> None:
    """Measures the platform, all sections by default; those with peers only if these are installed already.

    At a scale below 1 the figures are shown but not saved: days and rows per day shrink by its square root.
    """
    bench = Bench(folder.resolve(), scale, repeats)
    unasked = [name for name in SECTIONS if name not in NEED_PEERS or has_environment(bench.folder)]
    for name in sections or unasked:
        click.echo(f"Measuring {name} …", err=True)
        try:
            found = SECTIONS[name](bench)
        except Unavailable as reason:
            click.echo(f"Skipped {name}: {reason}", err=True)
            continue
        click.echo(results.section_text(found))
        if scale == 1:
            results.save({name: found}, results.FOLDER)


main()
