"""A small shop with all tables, published: made once for all processes, and only read."""

from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock

from ecom_assets.publishing.snapshot import publish
from ecom_assets_tests.warehouses import run_all, session_over, small_shop, window

DAYS = 5


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its snapshot."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if base.name.startswith("popen-") else base) / "published-shop"
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            made = folder.with_suffix(".part")
            session = session_over(small_shop(made / "landing", DAYS), made / "warehouse.duckdb", run_id="first")
            with closing(session.con):
                run_all(session, window(DAYS))
                publish(session, made / "snapshot.duckdb")
            made.rename(folder)
    return folder / "snapshot.duckdb"
