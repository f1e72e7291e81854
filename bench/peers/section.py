"""The benchmark of the three stacks, as a section of the results."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.landed import landing_zone
from bench.peers.measuring import CHANGES, DAY, FULL, LATE, NOTHING, Measured, measure
from bench.peers.projects import COMPARED, MARTS, QUARANTINE, SILVER
from bench.peers.stacks import NIGHTLY, Days, Dbt, Platform, SqlMesh, Stack, environment, only_compared, tables_in
from bench.results import Figure, Section
from bench.sizes import Size
from ecom_assets.days import ONE_DAY, Window

MOST = {FULL: "dbt", DAY: "dbt", NOTHING: "SQLMesh"}
"""Situation to the peer that is not to be dearer."""


def compared(
    folder: Path,
    homes: Callable[[str], Path],
    size: Size,
    history: Window,
    repeats: int,
    *,
    full_at_most: float,
    repair_at_most: float,
) -> Section:
    """Measures the platform, dbt-duckdb and SQLMesh over a history, and what comes after it. Raises Unavailable."""
    venv = environment(folder)
    # Few events, since none of the compared tables reads them.
    of_sales = Size(size.days, dataclasses.replace(size.shop, events_per_order=0.01))
    zone = landing_zone(folder, of_sales, Window(history.first, history.last + ONE_DAY))
    project = only_compared(homes("platform"))
    stacks: list[Stack] = [Platform(project), Dbt(venv), SqlMesh(venv)]
    for stack in stacks:
        stack.warm_up(homes("warm"))
    measured = measure(stacks, zone, Days(history), homes, repeats)
    return Section(
        f"Peers, {size}",
        f"{len(SILVER) + len(MARTS)} tables and {len(QUARANTINE)} of quarantined rows, from the same files of the "
        f"synthetic shop, by the same rules, with checks on, turns: {repeats}",
        "Processor time of whole processes, children included, also in ratios: of this platform, dbt-duckdb and "
        f"SQLMesh in turns. The platform makes {tables_in(project)} tables, since these are made of others and have "
        "columns for stores, taxes, gift cards and currencies, which this shop does not have. One more day is with "
        "all that it settles, for the platform by `ecom run --stale`, or by that after `ecom run` of the day. The "
        "late rows are an order forty days late that is its customer's first, and a correction; then a change of a "
        "customer and one of a product, thirty days late. Where a peer's nightly run, which looks back three days, "
        "leaves tables unlike a full rebuild, the cheapest way that does not counts as exact: of dbt a full refresh "
        "of what is above the records or a model that makes all days again of which something arrived, of SQLMesh the"
        " nightly run and a restatement of days that its user has to know. All tables are compared row by row, each "
        "stack with its own full rebuild, and these with each other. The parts are seconds from start to exit.",
        _figures(measured, full_at_most, repair_at_most),
        {
            f"{situation}{'' if way == NIGHTLY else ', ' + way}: {name}": found.wall(situation, way)
            for name, found in measured.items()
            for situation, way in found.spent
        },
    )


def _figures(measured: Mapping[str, Measured], full_at_most: float, repair_at_most: float) -> list[Figure]:
    ours = measured["ours"]
    peers = {name: found for name, found in measured.items() if found is not ours}
    figures = []
    for situation, peer in MOST.items():
        at_most = full_at_most if situation == FULL else 1.0
        figures.append(
            Figure(f"{situation}, ours / {peer}", ours.cpu(situation) / peers[peer].cpu(situation), "", at_most)
        )
    for situation in (LATE, CHANGES):
        exact = {name: way for name, found in peers.items() if (way := found.exact(situation))}
        if exact:
            best = min(exact, key=lambda name: peers[name].cpu(situation, exact[name]))
            ratio = ours.cpu(situation) / peers[best].cpu(situation, exact[best])
            figures.append(
                Figure(f"{situation}, ours / best exact, {best} by {exact[best]}", ratio, "", repair_at_most)
            )
    for situation in (FULL, DAY, NOTHING, LATE, CHANGES):
        for name, found in measured.items():
            for of, way in found.spent:
                if of == situation:
                    by = "" if way == NIGHTLY else f", {way}"
                    figures.append(Figure(f"{situation}{by}: {name}", found.cpu(of, way), "s"))
    for name, found in measured.items():
        for (situation, way), wrong in found.wrong.items():
            is_promised = found is ours
            by = "" if way == NIGHTLY else f", {way}"
            figures.append(
                Figure(
                    f"{situation}{by}: {name}, tables as rebuilt",
                    len(COMPARED) - len(wrong),
                    at_least=len(COMPARED) if is_promised else None,
                )
            )
    for name, found in peers.items():
        figures.append(Figure(f"{name}, tables like ours", len(COMPARED) - len(found.unlike), at_least=len(COMPARED)))
    return figures
