"""Pages of the dashboard in Chromium, and by several sessions at once."""

import asyncio
import shutil
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import websockets
from playwright.async_api import Page, async_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from bench.asking import served
from bench.child import memory
from ecom_assets.dashboard.pages import PAGES

SESSIONS = 10
CHANNELS = ("web", "app")
"""Sales channels that are chosen, one after another."""
MAX_SECONDS = 60
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
_FIRST = PAGES["today"]
_DRAWN = f"document.querySelectorAll('svg.marks').length >= {len(_FIRST.charts)}"
_TOTAL = "document.querySelector('[data-chart=net_sales] .total').innerText"


def chromium() -> str | None:
    """Returns the path of the system's browser; None without one."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def pages(home: Path, browser: str, repeats: int) -> dict[str, Any]:
    """Returns seconds until all figures of the first page are drawn, and the server's memory in MB."""
    with served("dashboard", "/_stcore/health") as (port, process):
        found = asyncio.run(_measured(browser, f"http://127.0.0.1:{port}", repeats))
        return {**found, "memory": memory(process.pid)}


async def _measured(executable: str, address: str, repeats: int) -> dict[str, Any]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        page = await browser.new_page()
        await page.goto("about:blank")
        cold = await _opened(page, address)
        warm = [await _opened(page, address) for _ in range(repeats)]
        filtered = [await _filtered(page, channel) for channel in CHANNELS]
        await browser.close()
    at_once = await asyncio.gather(*[_session(address) for _ in range(SESSIONS)])
    return {
        "cold": cold,
        "warm": median(warm),
        "filter": median(filtered),
        "sessions": quantiles(at_once, n=20)[-1],
    }


async def _opened(page: Page, address: str) -> float:
    at = time.perf_counter()
    await page.goto(address)
    await page.wait_for_function(_DRAWN, timeout=1000 * MAX_SECONDS)
    return time.perf_counter() - at


async def _session(address: str) -> float:
    """Returns the seconds until the server has sent all of the first page, asked as a browser asks it."""
    asked, told = BackMsg(), ForwardMsg()
    asked.rerun_script.query_string = f"page={_FIRST.name}"
    at = time.perf_counter()
    stream = f"{address.replace('http', 'ws')}/_stcore/stream"
    async with websockets.connect(stream, subprotocols=[websockets.Subprotocol("streamlit")], max_size=None) as server:
        await server.send(asked.SerializeToString())
        while told.WhichOneof("type") != "script_finished":
            told.ParseFromString(await server.recv())
    return time.perf_counter() - at


async def _filtered(page: Page, channel: str) -> float:
    """Returns the seconds from the choice of one more sales channel to its total."""
    before = await page.evaluate(_TOTAL)
    await page.get_by_role("combobox", name="Sales channel").click()
    option = page.get_by_role("option", name=channel)
    await option.wait_for()
    at = time.perf_counter()
    await option.click()
    await page.wait_for_function(f"before => {_TOTAL} !== before", arg=before, timeout=1000 * MAX_SECONDS)
    return time.perf_counter() - at
