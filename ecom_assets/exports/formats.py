"""The formats of exports, by name."""

from collections.abc import Callable, Iterable, Mapping

from ecom_assets.exports.contracts import odcs
from ecom_assets.exports.lineage import openlineage
from ecom_assets.exports.osi import osi
from ecom_assets.exports.power_bi import pbip
from ecom_assets.exports.rows import csv, parquet
from ecom_assets.exports.tableau import hyper
from ecom_assets.exports.writing import Exporting, Written

FORMATS: Mapping[str, Callable[[Exporting], Iterable[Written]]] = {
    "parquet": parquet,
    "csv": csv,
    "hyper": hyper,
    "pbip": pbip,
    "osi": osi,
    "odcs": odcs,
    "openlineage": openlineage,
}
DEFAULT_FORMATS = ("parquet", "csv")
