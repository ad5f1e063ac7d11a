"""Monitor: errors by run and station, champion and challengers, drift."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from snowflake.snowpark import Session

from tripcast import names
from tripcast.app import charts, data
from tripcast.app.views import parts

_PERCENT = "%.1f %%"


@parts.page_of
def page(session: Session) -> None:
    st.title("Monitor")
    runs, models, drift = st.tabs(["Runs", "Models", "Drift"])
    with runs:
        _runs(session)
    with models:
        _models(session)
    with drift:
        _drift(session)


def _runs(session: Session) -> None:
    errors = pd.DataFrame() if parts.missing(session, names.FLAT_EVAL) else data.run_errors(session)
    if not len(errors):
        text = "No forecast has been scored yet. The monthly taskflow scores the forecast of the month before:"
        parts.nothing(session, text, "tripcast month 2020-04")
        return
    last = errors.iloc[-1]
    with st.container(horizontal=True):
        st.metric(
            "WAPE, last month", parts.share(last["WAPE"]), help="Sum of errors over sum of trips.", width="content"
        )
        naive = "The same weekday of the last week that was known."
        st.metric("Seasonal naive", parts.share(last["NAIVE_WAPE"]), help=naive, width="content")
        st.metric("Bias", parts.share(last["BIAS"]), help="Below 0: fewer were forecast than came.", width="content")
    st.altair_chart(charts.error_chart(errors), width="stretch")
    st.caption(
        "Each run's figures are of the forecast that the run of the month before had made; dashed: seasonal naive."
    )
    titles = {row.MODEL_ID: f"{row.RUN_DATE:%Y-%m-%d}, {row.MODEL}" for row in errors.iloc[::-1].itertuples()}
    chosen = st.selectbox("Stations with the largest errors in run", list(titles), format_func=lambda key: titles[key])
    worst = data.station_errors(session, chosen)
    st.dataframe(
        _in_percent(worst, ["WAPE", "NAIVE_WAPE", "BIAS"]),
        hide_index=True,
        width="stretch",
        column_config={
            "STATION_NAME": st.column_config.Column("Station", pinned=True),
            "N": st.column_config.NumberColumn("Days", format="%d", width="small"),
            "MAE": st.column_config.NumberColumn(format="%.1f", width="small"),
            "WAPE": st.column_config.NumberColumn(format=_PERCENT),
            "NAIVE_WAPE": st.column_config.NumberColumn("Naive WAPE", format=_PERCENT),
            "BIAS": st.column_config.NumberColumn("Bias", format=_PERCENT),
        },
    )


def _in_percent(table: pd.DataFrame, shares: list[str]) -> pd.DataFrame:
    return table.assign(**{name: table[name].astype(float) * 100 for name in shares})


def _models(session: Session) -> None:
    models = {} if parts.missing(session, names.EVAL) else data.models(session)
    if not models:
        parts.nothing(
            session, "No backtest has been run. This compares models and names the champion:", "tripcast evaluate"
        )
        return
    champion = data.champion(session)
    if champion:
        text = f"Champion: **{champion['model']}**, WAPE {parts.share(champion['wape'])} with the usual weather"
        if champion["runner_up"] and champion["margin"] is not None:
            text += f", {parts.share(champion['margin'])} below {champion['runner_up']}"
        st.success(text, icon=":material/trophy:")
    rows = [
        {
            "Model": name,
            "WAPE, usual weather": (figures.get("usual") or {}).get("wape"),
            "WAPE, weather that came": figures.get("wape"),
            "MAE": figures.get("mae"),
            "MASE": figures.get("mase"),
            "Bias": figures.get("bias"),
            "In 80 %": figures.get("coverage_80"),
            "In 95 %": figures.get("coverage_95"),
        }
        for name, figures in models.items()
    ]
    table = pd.DataFrame(rows).sort_values("WAPE, usual weather", na_position="last")
    shares = [name for name in table if name.startswith(("WAPE", "Bias", "In "))]
    numbers = dict.fromkeys(("MAE", "MASE"), st.column_config.NumberColumn(format="%.2f", width="small"))
    st.dataframe(
        _in_percent(table, shares), hide_index=True, width="stretch",
        column_config=dict.fromkeys(shares, st.column_config.NumberColumn(format=_PERCENT)) | numbers | {"Model": st.column_config.Column(pinned=True)},
    )  # fmt: skip
    errors = data.cutoff_errors(session)
    if len(errors):
        st.altair_chart(charts.cutoff_chart(errors), width="stretch")
        st.caption("WAPE of the backtest by cutoff, with the usual weather.")


def _drift(session: Session) -> None:
    drift = pd.DataFrame() if parts.missing(session, names.DRIFT) else data.drift(session)
    drift = drift[drift["STATISTIC"].notna()] if len(drift) else drift
    if not len(drift):
        parts.nothing(
            session,
            "No month has been watched yet. The monthly taskflow watches each month's errors:",
            "tripcast month 2020-04",
        )
        return
    last = drift[drift["RUN_DATE"] == drift["RUN_DATE"].max()]
    alarms = last[last["ALARM"].astype(bool)]
    if len(alarms):
        one = alarms.iloc[0]
        came = "fewer trips than forecast" if one["DIRECTION"] == "fall" else "more trips than forecast"
        st.warning(
            f"**A {one['DIRECTION']} since {one['DAY']:%d %b %Y}**: {came}, more than chance explains.",
            icon=":material/warning:",
        )
    else:
        st.success(f"No alarm in the month up to {last['DAY'].max():%d %b %Y}.", icon=":material/check:")
    st.altair_chart(charts.drift_chart(drift), width="stretch")
    st.caption(
        "Above the dashed line, errors lean to one side more than chance explains: at most one false alarm in a hundred months."
    )
