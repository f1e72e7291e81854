"""The pages, in order, and all their charts by name."""

from ecom_assets.dashboard import customers, marketing, operations, predictions, today

PAGES = {module.PAGE.name: module.PAGE for module in (today, customers, marketing, operations, predictions)}
CHARTS = {chart.name: chart for page in PAGES.values() for chart in page.all}
