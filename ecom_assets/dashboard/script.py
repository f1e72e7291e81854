"""What Streamlit runs for each session and each change: the page. All else is imported once."""

from ecom_assets.dashboard.app import show

show()
