"""Each map on the page on feed maps is one."""

import re
import tomllib
from pathlib import Path

import pytest

from ecom_assets.cli.land import MAPS
from ecom_assets.landing.zone import Zone
from ecom_assets.settings import PROJECT
from ecom_assets.sources.feed_map import land, load_map
from ecom_assets.sources.feed_map.model import columns_named

PAGE = (PROJECT / "docs" / "feed-maps.md").read_text()
README = (PROJECT / "README.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


MAPS_OF_FILES = [example for example in EXAMPLES if "[feed." in example and "postgres =" not in example]


@pytest.mark.parametrize("text", MAPS_OF_FILES)
def test_an_example_lands(tmp_path: Path, text: str) -> None:
    (tmp_path / "map.toml").write_text(text)
    feed_map = load_map(tmp_path / "map.toml")
    export = tmp_path / "export"
    export.mkdir()
    for source in feed_map.sources.values():
        feeds = [feed for feed in feed_map.feeds if feed.source.name == source.name]
        names = {name for query in feed_map.queries for name in query.columns} - {"origin"}
        columns = dict.fromkeys([*columns_named(source, feeds), *sorted(names)])
        path = export / str(source.files).replace("*", "2024-01-31")
        if path.suffix == ".json":
            path.write_text('[{"id": 1, "line_items": [{"sku": "a"}]}]')
        else:
            path.write_text(f"{','.join(columns)}\n{','.join('1' for _ in columns)}\n")

    report = land(feed_map, export, Zone(tmp_path / "landing"))

    assert all(report.rows.values()), str(report)


def test_the_export_in_the_readme_lands_by_the_map_in_it(tmp_path: Path) -> None:
    [(name, lines)] = re.findall(r"cat > data/mine/exports/(\S+) <<'END'\n(.*?)END\n", README, re.DOTALL)
    [text] = [example for example in re.findall(r"```toml\n(.*?)```", README, re.DOTALL) if "[feed." in example]
    (tmp_path / "map.toml").write_text(text)
    (tmp_path / name).write_text(lines)

    report = land(load_map(tmp_path / "map.toml"), tmp_path, Zone(tmp_path / "landing"))

    assert (report.rows, report.lines, report.unused) == ({"orders": 1, "order_items": 2}, 2, 0)
    assert [file.unread for file in report.files] == [[]]


def test_the_example_of_a_database_is_a_map(tmp_path: Path) -> None:
    [text] = [example for example in EXAMPLES if "postgres =" in example]
    (tmp_path / "map.toml").write_text(text)

    assert load_map(tmp_path / "map.toml").is_of_database


def test_every_example_is_toml() -> None:
    assert all(tomllib.loads(example) for example in EXAMPLES)


def test_every_map_that_ships_is_listed() -> None:
    listed = re.findall(r"\[(\w+)\]\(\.\./ecom_assets/sources/maps/(\w+)\.toml\)", PAGE)

    assert sorted(listed) == sorted((path.stem, path.stem) for path in MAPS.glob("*.toml"))
