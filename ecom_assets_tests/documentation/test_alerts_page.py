"""The settings on the page on alerts can be set."""

import re
from pathlib import Path

from ecom_assets import settings
from ecom_assets.alerting.configuration import KINDS
from ecom_assets.settings import PROJECT

PAGE = (PROJECT / "docs" / "alerts.md").read_text(encoding="utf-8")


def test_the_example_sets_a_channel_of_each_kind(tmp_path: Path) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / settings.FILE).write_text(example)

    assert {channel.kind for channel in settings.load(tmp_path).alerting.channels} == set(KINDS)
