"""The dashboard: pages of charts over the snapshot, declared here, answered by SQL, drawn by Vega-Lite.

Declarations, queries and figures know no Streamlit; `app` shows them with it.
"""
