"""The planner's app: Streamlit over the tables that tripcast makes. Starts by ``tripcast app``."""
