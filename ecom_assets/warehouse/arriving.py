"""What is expected of the files of an arrival day: as many as are promised, new ones, and what their senders state."""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from ecom_assets.declaration import Declaration
from ecom_assets.engine.duckdb.tables import stored
from ecom_assets.landing import reading
from ecom_assets.landing.control_totals import SUFFIX, read_control_totals
from ecom_assets.landing.zone import LandedFile
from ecom_assets.sql import literal, quoted
from ecom_assets.warehouse.store import Store

CAN_BE_READ = "Every record can be read."
IS_COMPLETE = "Every file is complete."
AS_PROMISED = "As many files arrive as are promised."
HAS_TOTALS = "Every file has the rows and sums of its control totals."
NOT_OF_DAY_BEFORE = "No file is that of the day before again."
IS_NEW = "No file repeats an earlier one."
ONCE = "Every record of a stream lands once."
EXPECTED_OF_FILES = (CAN_BE_READ, IS_COMPLETE, AS_PROMISED, HAS_TOTALS, NOT_OF_DAY_BEFORE, IS_NEW, ONCE)
"""The expectations of a bronze table."""
_HALF_A_CENT = Decimal("0.005")
"""By less, the sum of a column differs from a stated one for the way in which numbers are written."""


def repeated_files(store: Store, declaration: Declaration, files: Sequence[LandedFile]) -> Collection[LandedFile]:
    """Returns the files with rows that have the bytes of an earlier file.

    Files without rows are alike, and so are the files of members that send their state each day: these may repeat.
    """
    copies = [replace(file, duplicate_of=None) for file in files if file.duplicate_of]
    if declaration.is_of_members or not copies:
        return ()
    read = reading.read(store.con, copies, list(declaration.feed_contract.columns))
    with_rows = set(read.query("landed", "select distinct arrived_on, source_file from landed").fetchall())
    return {file for file in files if file.duplicate_of and (file.arrived_on, file.name) in with_rows}


def off_totals(
    store: Store,
    declaration: Declaration,
    arrivals: Mapping[dt.date, Sequence[LandedFile]],
    controls: Sequence[LandedFile],
) -> dict[dt.date, list[str]]:
    """Returns by arrival day what differs from the control totals that arrived on it, as sentences."""
    found: dict[dt.date, list[str]] = {}
    for control in controls:
        about = control.name.removesuffix(SUFFIX)
        file = next((file for file in arrivals[control.arrived_on] if file.name == about), None)
        if file is None:
            differences = [f"{about} has not arrived, although its control totals have"]
        elif file.duplicate_of:
            continue
        else:
            differences = list(_differences(store, declaration, file, control))
        if differences:
            found.setdefault(control.arrived_on, []).extend(differences)
    return found


def _differences(store: Store, declaration: Declaration, file: LandedFile, control: LandedFile) -> Iterator[str]:
    try:
        stated = read_control_totals(control.path, declaration.feed_contract.columns)
    except (ValueError, OSError) as error:
        yield f"{control.name} cannot be read: {error}"
        return
    sums = "".join(f", sum(try_cast({quoted(name)} as decimal(38, 8)))" for name in stated.sums)
    [(rows, *found)] = store.con.execute(
        f"select count(*){sums} from {stored(declaration).name} "
        f"where arrived_on = date '{file.arrived_on}' and source_file = {literal(file.name)}"
    ).fetchall()
    if stated.rows is not None and rows != stated.rows:
        yield f"{file.name} has {rows} rows, and {stated.rows} by its control totals"
    for (name, due), value in zip(stated.sums.items(), found, strict=True):
        total = Decimal(0) if value is None else value
        if abs(total - due) >= _HALF_A_CENT:
            yield f"{name} in {file.name} sums to {total.normalize():f}, and to {due:f} by its control totals"
