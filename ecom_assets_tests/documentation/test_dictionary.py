import re

import pytest

from ecom_assets import catalog
from ecom_assets.contract import RuleKind
from ecom_assets.documentation import architecture, dictionary
from ecom_assets.settings import PROJECT


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """Table to its part of the dictionary."""
    parts = re.split(r"^##+ ", dictionary.text(), flags=re.MULTILINE)
    return {part.partition("\n")[0]: part for part in parts}


def test_the_dictionary_in_the_repository_is_that_of_the_declarations():
    standing = (PROJECT / "data" / "README.md").read_text(encoding="utf-8")

    assert standing == dictionary.text(), "data/README.md is stale; write it anew with: ecom dictionary"


def test_the_architecture_in_the_repository_is_that_of_the_declarations():
    standing = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")

    assert standing == architecture.text(), "docs/architecture.md is stale; write it anew with: ecom dictionary"


def test_the_architecture_shows_what_each_table_reads():
    page = architecture.text()

    assert "    silver.order_items --> gold.fact_sales\n" in page
    assert "    silver.events -->|around(1, 1)| silver.sessions\n" in page
    assert "    silver.customers -.-> silver.orders\n" in page


def test_every_table_has_its_columns_and_rules(pages):
    for table in catalog.tables():
        page = pages[table.name]
        assert table.contract.description in page
        assert all(f"| {column} | " in page for column in table.contract.columns)
        assert table.is_bronze or all(
            f"- {rule.sentence}" in page or rule.kind is RuleKind.PRESENT for rule in table.contract.rules
        )


def test_it_says_what_a_day_reads(pages):
    assert "- Reads bronze.orders: rows with that event day, whenever they arrived" in pages["silver.orders"]
    assert "- Reads silver.orders: the same day" in pages["gold.fact_sales"]
    assert "- Reads gold.dim_customer_versions: all days up to the same day" in pages["gold.fact_sales"]


def test_it_says_what_a_column_holds(pages):
    assert (
        "| customer_id | text | yes | Customer who placed it; null for guests; key of silver.customers; "
        "merged by silver.customer_merges; words for nothing are missing; personal |" in pages["silver.orders"]
    )
    assert "| total | text | yes | " in pages["bronze.orders"]
    assert "| email | text | yes | E-mail address; personal |" in pages["gold.dim_customer_versions"]
    assert "Customer who placed it; null for guests; personal |" in pages["gold.transactions"]


def test_it_shows_views(pages):
    assert "View gold.dim_customer:" in pages["gold.dim_customer_versions"]


def test_a_file_is_written_with_all_of_it(tmp_path):
    dictionary.write(tmp_path / "new" / "README.md")

    assert (tmp_path / "new" / "README.md").read_text(encoding="utf-8") == dictionary.text()
