"""The DAGs of the monthly taskflow: when trips came, when asked as the guide asks, and on a day of each month."""

from __future__ import annotations

from airflow.sdk import CronTriggerTimetable

from tripcast.dags.common import TRIPS
from tripcast.dags.monthly import monthly_dag

# the operator publishes a month in the first days of the next one
_FIFTH_AT_SIX = "0 6 5 * *"

tripcast_monthly = monthly_dag(
    "tripcast_monthly", [TRIPS], "A month from its files to its forecast: after tripcast_setup, and when asked."
)
citibikeml_monthly_taskflow = monthly_dag(
    "citibikeml_monthly_taskflow", None, "tripcast_monthly by the guide's name: only when asked."
)
tripcast_scheduled = monthly_dag(
    "tripcast_scheduled",
    CronTriggerTimetable(_FIFTH_AT_SIX, timezone="UTC"),
    "The month that ended, on the fifth of each month.",
    is_paused_upon_creation=True,
)
