"""The formats of exports, by name."""

from collections.abc import Callable, Iterable, Mapping

from ecom_assets.exports.contracts import odcs
from ecom_assets.exports.rows import csv, parquet
from ecom_assets.exports.writing import Exporting, Written

FORMATS: Mapping[str, Callable[[Exporting], Iterable[Written]]] = {"parquet": parquet, "csv": csv, "odcs": odcs}
DEFAULT_FORMATS = ("parquet", "csv")
