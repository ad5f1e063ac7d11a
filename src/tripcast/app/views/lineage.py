"""Lineage: runs, their clones and tags, what trained what."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from snowflake.snowpark import Session

from tripcast import names
from tripcast.app import data
from tripcast.app.graph import run_graph
from tripcast.app.views import parts
from tripcast.lineage.runs import Run

_SHORT = 8


@parts.page_of
def page(session: Session) -> None:
    st.title("Lineage")
    runs = [] if parts.missing(session, names.RUNS) else data.all_runs(session)
    if not runs:
        parts.nothing(
            session, "There is no run yet. This forecasts, and keeps what it saw as a clone:", "tripcast forecast"
        )
        return
    models = pd.DataFrame() if parts.missing(session, names.MODELS) else data.stored_models(session)
    champions = set(models.loc[models["CHAMPION"].fillna(False).astype(bool), "MODEL_ID"]) if len(models) else set()
    st.dataframe(
        pd.DataFrame([_row(run, run.model_id in champions) for run in runs]),
        hide_index=True,
        width="stretch",
        height="content" if len(runs) <= _SHORT else 320,
        column_config={"Trips seen": st.column_config.NumberColumn(format="localized")},
    )
    titles = {run.model_id: f"{run.run_date}, {run.model} ({run.kind}), {run.model_id[:8]}" for run in runs}
    chosen = st.selectbox("Run", list(titles), format_func=lambda key: titles[key], key="run")
    run = next(one for one in runs if one.model_id == chosen)
    left = data.left_by(session, chosen)
    stored = bool(len(models)) and chosen in set(models["MODEL_ID"])
    _facts(run, models[models["MODEL_ID"] == chosen] if stored else None)
    st.graphviz_chart(run_graph(run, list(left["TABLE"]), stored), width="content")
    st.dataframe(
        left.assign(TAG=[("this run" if str(tag) == chosen else tag) for tag in left["TAG"]]),
        hide_index=True,
        width="stretch",
        column_config={
            "TABLE": st.column_config.Column("Table"),
            "ROWS": st.column_config.NumberColumn("Rows", format="localized", width="small"),
            "BYTES": st.column_config.NumberColumn("Size", format="bytes", width="small"),
            "CREATED": st.column_config.DatetimeColumn("Made", format="YYYY-MM-DD HH:mm"),
            "TAG": st.column_config.Column(f"Tag {names.MODEL_TAG.lower()}"),
        },
    )
    st.caption("To repeat this run from its clones and compare the forecasts bit by bit:")
    st.code(f"tripcast reproduce {chosen}", language="bash")


def _row(run: Run, champion: bool) -> dict[str, object]:
    return {
        "Run date": run.run_date,
        "Model": run.model + (" ★" if champion else ""),
        "Kind": run.kind,
        "Trips seen": run.trips,
        "Up to": run.data_to,
        "Finished": run.finished,
        "Forgotten": run.forgotten or None,
        "Code": run.code_version,
        "Id": run.model_id,
    }


def _facts(run: Run, stored: pd.DataFrame | None) -> None:
    lines = [
        f"Saw {run.trips or 0:,} trips from {run.data_from or '–'} to {run.data_to or '–'}; seed {run.seed}, {run.h} days ahead; "
        f"code `{run.code_version}`."
    ]
    if stored is not None:
        row = stored.iloc[0]
        lines.append(
            f"The model, trained on {row['STATIONS']:,.0f} stations, is `@{names.MODEL_STAGE}/{row['STAGE_FILE']}`."
        )
    if run.finished is None:
        lines.append(
            f"**Not finished**: done are {', '.join(run.steps) or 'no steps'}. The same command goes on from there."
        )
    if run.forgotten:
        lines.append(f"{run.forgotten} trips that it saw were forgotten since.")
    if run.retrained_from:
        lines.append(f"It replaces `{run.retrained_from}`.")
    st.markdown("  \n".join(lines))
