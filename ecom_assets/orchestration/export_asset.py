"""The assets of exports, to files and to PostgreSQL. No job of the pipeline has them: each has its own job."""

import dagster as dg
from pydantic import Field

from ecom_assets import settings
from ecom_assets.declaration import Catalog
from ecom_assets.errors import UserError
from ecom_assets.exports.export import export
from ecom_assets.exports.formats import DEFAULT_FORMATS, FORMATS
from ecom_assets.exports.postgres import publish
from ecom_assets.orchestration.assets import OWNERS, asset_key

FILES = dg.AssetKey(["exports", "files"])
POSTGRES = dg.AssetKey(["exports", "postgres"])


class Formats(dg.Config):
    """What to export."""

    formats: list[str] = Field(default=[*DEFAULT_FORMATS], description=f"Some of {', '.join(FORMATS)}.")


def export_asset(tables: Catalog) -> dg.AssetsDefinition:
    """Returns the asset that exports the snapshot of these tables."""

    @dg.asset(
        key=FILES,
        group_name="exports",
        deps=[asset_key("kpi.daily_reconciliation")],
        owners=OWNERS,
        kinds={"parquet", "csv", "exports"},
        tags={"domain": "exports"},
    )
    def files(config: Formats) -> dg.MaterializeResult:
        """The star schema and the measures of the newest snapshot as files, in data/exports, with a manifest.

        The formats can be chosen in the launchpad. docs/exports.md says what is in the files.
        """
        known = settings.load()
        written = export(known.snapshot, tables, known.exports, config.formats, known.memory_limit)
        return dg.MaterializeResult(
            metadata={
                "snapshot": written.snapshot,
                "folder": dg.MetadataValue.path(str(known.exports)),
                "files": written.files,
                "rows": written.rows,
                "bytes": written.bytes,
            }
        )

    return files


def postgres_asset(tables: Catalog) -> dg.AssetsDefinition:
    """Returns the asset that publishes the snapshot of these tables to a database."""

    @dg.asset(
        key=POSTGRES,
        group_name="exports",
        deps=[asset_key("kpi.daily_reconciliation")],
        owners=OWNERS,
        kinds={"postgres", "exports"},
        tags={"domain": "exports"},
    )
    def postgres() -> dg.MaterializeResult:
        """The star schema and the measures of the newest snapshot in the PostgreSQL database that `postgres` sets.

        Days with other rows are replaced, in one transaction. docs/exports.md says what is in the database.
        """
        known = settings.load()
        if known.postgres is None:
            raise UserError("No database is set: give its address in ECOM_POSTGRES, or as postgres in settings.toml.")
        written = publish(known.snapshot, tables, known.postgres.reveal(), known.memory_limit)
        return dg.MaterializeResult(
            metadata={
                "snapshot": written.snapshot,
                "database": written.database,
                "tables": written.tables,
                "table_days": written.days,
                "rows": written.rows,
            }
        )

    return postgres
