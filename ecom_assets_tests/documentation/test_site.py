"""The catalogue site: complete, linked, traced to the feeds, and usable in a browser without a server."""

import html
import itertools
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import narwhals as nw
import pytest
from click.testing import CliRunner

from ecom_assets import catalog
from ecom_assets.cli.main import main
from ecom_assets.contract import column, contract
from ecom_assets.declaration import declare
from ecom_assets.documentation import profiles, site
from ecom_assets.documentation.pictures import Arrow, picture
from ecom_assets.publishing.snapshot import publish
from ecom_assets.serving.published_tables import BESIDE_THE_LAYERS
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.warehouse.proof import settle
from ecom_assets_tests import tiny_shop
from ecom_assets_tests.tiny_shop import open_shop, order

pytestmark = pytest.mark.slow
TABLES = catalog.tables()
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LINK = re.compile(r'href="([^"#]*)#?([^"]*)"')


class SalesOfScripts(tiny_shop.Sales, name="gold.sales"):
    """One row per <script>order</script>, see `kpi.daily`."""

    comment: str = column("What <script>they</script> said", nullable=True)


def transform(silver_orders: nw.LazyFrame) -> nw.LazyFrame:
    return silver_orders.select("order_id", "ordered_on", "amount", comment=nw.lit("<script>alert(1)</script>"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of all tables, without a snapshot."""
    folder = tmp_path_factory.mktemp("site")
    site.write(TABLES, folder)
    return folder


@pytest.fixture(scope="module")
def pages(folder: Path) -> dict[str, str]:
    return {file.stem: file.read_text(encoding="utf-8") for file in folder.glob("*.html")}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of a tiny shop that is published and profiled."""
    folder = tmp_path_factory.mktemp("published")
    tables = tiny_shop.tables(declare(contract(SalesOfScripts), transform))
    with open_shop(folder, tables) as shop:
        for day in range(3):
            shop.land_customers(day)
            shop.land_orders(day, *(order(10 * day + n, day) for n in range(5)), order(10 * day + 9, day, amount=-1))
        settle(shop.session)
        publish(shop.session, folder / "snapshot.duckdb")
    with open_snapshot(folder / "snapshot.duckdb") as con:
        profiles.write(con, list(tables), folder / "profiles", "EUR")
        site.write(tables, folder / "site", "EUR", folder / "profiles", con)
    return folder / "site"


def broken_links(folder: Path) -> list[str]:
    """Links to files or places that there are not."""
    texts = {file.relative_to(folder): file.read_text(encoding="utf-8") for file in folder.rglob("*.html")}
    broken = []
    for page, text in texts.items():
        for target, anchor in LINK.findall(re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)):
            found = texts.get((page.parent / target) if target else page)
            if found is None or (anchor and f'id="{anchor}"' not in found):
                broken.append(f"{page}: {target}#{anchor}")
    return broken


def test_each_table_and_column_has_its_place(pages: dict[str, str]) -> None:
    for table in TABLES:
        page = pages[table.name]
        assert set(table.contract.columns) <= set(re.findall(r'<article id="(\w+)">', page)), table.name
        assert all(html.escape(name, quote=False) in page for name in table.contract.primary_key)
        assert page.count(">personal</span>") == len(table.contract.personal)
    for beside in BESIDE_THE_LAYERS:
        assert beside.name.removesuffix(".*") in pages
    assert "silver.orders.ordered_on" in pages["index"]


def test_every_link_leads_somewhere(folder: Path, published: Path) -> None:
    assert broken_links(folder) == []
    assert broken_links(published) == []


def test_at_least_99_percent_of_the_columns_made_by_sql_are_traced() -> None:
    lineage = site.Lineage(TABLES)
    made = [table for table in TABLES if not table.is_bronze and not table.is_eager]
    traced = [table for table in made if table.name not in lineage.unknown]
    columns = {(table.name, name) for table in traced for name in table.contract.columns}

    assert len(columns) >= 0.99 * sum(len(table.contract.columns) for table in made)
    with_sources = {at for at in columns if at in lineage.sources}
    assert len(with_sources) > 0.9 * len(columns)  # the others count rows, are constants or days of the calendar
    assert sum(bool(lineage.feeds(at)) for at in with_sources) > 0.98 * len(with_sources)  # others come from counts


def test_a_figure_is_followed_to_the_feeds_and_to_what_reads_it(pages: dict[str, str]) -> None:
    def part(table: str, name: str) -> str:
        return pages[table].partition(f'<article id="{name}">')[2].partition("</article>")[0]

    figure, price = part("kpi.daily_sales", "net_sales"), part("bronze.order_items", "unit_price")

    assert 'href="gold.agg_daily_sales.html#net_sales"' in figure
    assert 'href="bronze.order_items.html#unit_price"' in figure
    assert 'href="silver.order_items.html#unit_price"' in price
    assert 'href="kpi.daily_sales.html"' in price
    assert "data/landing/order_items" in price
    assert "no column: it counts rows" in part("gold.dim_date", "iso_week")


def test_all_references_are_drawn_and_listed(pages: dict[str, str]) -> None:
    page = pages["relations"]
    for table in TABLES:
        for reference in table.contract.references if not table.is_bronze else ():
            assert f"<title>{table.name}.{reference.name} → {reference.references}</title>" in page
    assert "<title>silver.orders.customer_id → silver.customer_merges</title>" in page
    assert "<title>silver.orders.currency → silver.exchange_rates</title>" in page
    assert "<title>gold.fact_sales.customer_key → gold.dim_customer</title>" in page
    assert page.count("<li>") == page.count("<title>") - 1


def test_a_site_is_the_same_each_time(folder: Path, tmp_path: Path, pages: dict[str, str]) -> None:
    site.write(TABLES, tmp_path)

    assert {file.stem: file.read_text(encoding="utf-8") for file in tmp_path.glob("*.html")} == pages


def test_a_page_loads_nothing(pages: dict[str, str]) -> None:
    for text in pages.values():
        assert not re.search(r"https?://|<link|<img| src=|url\(|@import", text)


def test_what_is_published_is_rated_and_profiled(published: Path) -> None:
    page = (published / "silver.orders.html").read_text(encoding="utf-8")
    sales = (published / "gold.sales.html").read_text(encoding="utf-8")

    assert "15 of 18 checked rows passed in the last 30 days (83.33 %)" in page
    assert '<a href="profiles/gold.sales.html">15 rows on 3 days</a>' in sales
    assert "quality from the snapshot of 20" in sales


def test_declarations_are_escaped(published: Path) -> None:
    for page in ("index", "gold.sales", "profiles/gold.sales"):
        text = (published / f"{page}.html").read_text(encoding="utf-8")
        assert "&lt;script&gt;order&lt;/script&gt;, see <code>kpi.daily</code>" in text or page == "gold.sales"
        assert "<script>order" not in text
        assert "<script>they" not in text


def test_arrows_point_to_the_right_and_boxes_do_not_overlap() -> None:
    drawn = picture([Arrow("a", "x", "b"), Arrow("a", "y", "c"), Arrow("b", "z", "c"), Arrow("d", None, "c")])
    boxes = {box.name: box for box in drawn.boxes}

    assert all(boxes[arrow.source].x < boxes[arrow.target].x for arrow, _ in drawn.arrows)
    by_column = sorted((box.x, box.y, box.y + box.height) for box in drawn.boxes)
    assert all(x != after_x or end < y for (x, _, end), (after_x, y, _) in itertools.pairwise(by_column))
    assert picture([]).width == 0


def test_the_command_needs_no_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECOM_DATA", str(tmp_path))

    found = CliRunner().invoke(main, ["docs"])

    assert found.exit_code == 0, found.output
    assert (tmp_path / "catalogue" / "kpi.daily_sales.html").exists()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("There is no Chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """Errors in the console, and requests for other than files."""
    return []


def opened(browser: Any, file: Path, complaints: list[str], query: str = "", **options: Any) -> Any:
    page = browser.new_page(**{"viewport": {"width": 1400, "height": 900}, **options})
    page.on("console", lambda each: complaints.append(each.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: request.url.startswith("file://") or complaints.append(request.url))
    page.goto(f"{file.as_uri()}{query}")
    return page


def test_search_finds_a_column_at_once(browser: Any, folder: Path, complaints: list[str]) -> None:
    page = opened(browser, folder / "kpi.daily_sales.html", complaints)
    page.get_by_role("searchbox").fill("net sales")
    page.keyboard.press("Enter")
    page.wait_for_url("**/index.html?q=net+sales")
    assert "kpi.daily_sales.net_sales" in page.locator("#found li a").all_inner_texts()
    took = page.evaluate("""() => {
        const box = document.querySelector("input[name=q]"), begun = performance.now();
        box.value = "email";
        box.dispatchEvent(new Event("input"));
        return performance.now() - begun;
    }""")
    first = page.locator("#found li a").first
    assert first.inner_text() == "bronze.customers.email"
    assert took <= 100
    first.click()
    assert page.url.endswith("bronze.customers.html#email")
    page.goto(f"{(folder / 'index.html').as_uri()}?q=nothing-like-this")
    assert page.locator("#found").inner_text() == "Nothing found"
    assert complaints == []


def test_pages_fit_a_phone_and_have_no_serious_findings(
    browser: Any, folder: Path, published: Path, complaints: list[str]
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    names = ("index", "relations", "gold.fact_sales", "kpi.daily_quality")
    files = [folder / f"{name}.html" for name in names]
    files += [published / "profiles" / f"{name}.html" for name in ("index", "gold.sales")]
    for number, file in enumerate(files):
        scheme = ("light", "dark")[number % 2]
        page = opened(browser, file, complaints, viewport={"width": 390, "height": 900}, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") == 390, file.name
        found = Axe().run(page).response["violations"]
        assert [(each["id"], file.name) for each in found if each["impact"] in ("serious", "critical")] == []
        page.close()
    assert complaints == []
