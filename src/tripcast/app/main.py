"""The app: ``tripcast app``, or as the main file of a Streamlit app in Snowflake."""

from __future__ import annotations

import streamlit as st

from tripcast.app.views import forecast, ingest, lineage, monitor, plan

st.set_page_config(page_title="tripcast", page_icon=":material/pedal_bike:", layout="wide")
_chosen = st.navigation(
    [
        st.Page(forecast.page, title="Forecast", icon=":material/trending_up:", url_path="forecast", default=True),
        st.Page(plan.page, title="Plan", icon=":material/local_shipping:", url_path="plan"),
        st.Page(monitor.page, title="Monitor", icon=":material/monitoring:", url_path="monitor"),
        st.Page(lineage.page, title="Lineage", icon=":material/account_tree:", url_path="lineage"),
        st.Page(ingest.page, title="Ingest", icon=":material/upload:", url_path="ingest"),
    ]
)
_chosen.run()
