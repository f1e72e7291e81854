"""The dashboard's server."""

import importlib
from pathlib import Path

from streamlit.web import bootstrap

from ecom_assets.dashboard.definitions import definitions
from ecom_assets.dashboard.pages import CHARTS

SCRIPT = Path(__file__).with_name("script.py")


def serve(host: str, port: int) -> None:
    """Serves the dashboard until it is interrupted. It asks nothing of other hosts, and shows no traceback."""
    options = {
        "server_address": host,
        "server_port": port,
        "server_headless": True,
        "server_fileWatcherType": "none",
        "server_runOnSave": False,
        "browser_gatherUsageStats": False,
        "client_toolbarMode": "minimal",
        "client_showErrorDetails": "none",
        "logger_hideWelcomeMessage": True,
        "logger_level": "warning",
        "runner_magicEnabled": False,
        "theme_base": "light",
        "theme_primaryColor": "#0b62a4",
    }
    # What the first page and the first filter need is loaded before anybody asks: DuckDB loads pandas for parameters.
    for module in ("pandas", "ecom_assets.dashboard.app"):
        importlib.import_module(module)
    for chart in CHARTS.values():
        definitions(chart)
    bootstrap.load_config_options(options)
    bootstrap.run(str(SCRIPT), False, [], options)
