"""out/report.html: how the monthly forecasts fared, with tables and plots."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from snowflake.snowpark import Session
from snowflake.snowpark import functions as F

from tripcast import names, plots
from tripcast.lineage import runs
from tripcast.lineage.runs import MONTH, Run
from tripcast.monitoring.drift import THRESHOLD
from tripcast.status import status

SHOCK_FROM, SHOCK_TO = "2020-01-01", "2020-09-30"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f3044; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid #e6ebf0; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; }
.alarm { color: #d1495b; }
"""


def write_report(session: Session, folder: Path) -> list[Path]:
    """Writes the report and its plots; answers the files, the page first.

    Args:
        session: whose current schema has RUNS, and what runs left.
        folder: made if it is not there.

    Raises:
        ValueError: there is neither a monthly run nor a backtest.
    """
    answer = status(session)
    done = newest([run for run in runs.read(session) if run.kind == MONTH and run.finished is not None])
    if not done and not answer["models"]:
        raise ValueError("there is nothing to report: run tripcast month, tripcast replay or tripcast evaluate first")
    folder.mkdir(parents=True, exist_ok=True)
    kind = "SYNTHETIC trips: nobody rode them" if answer["synthetic"] else "trips"
    parts = [
        f"<p>{answer['trips']:,} {kind} at {answer['stations']} stations, {answer['first_day']} to {answer['last_day']}.</p>"
    ]
    pictures: list[Path] = []

    def picture(path: Path, text: str) -> None:
        pictures.append(path)
        parts.append(f'<p>{html.escape(text)}</p><img src="{path.name}" alt="{html.escape(text)}">')

    if done:
        parts += ["<h2>Month by month</h2>", _months_table(done)]
        scores = month_scores(done)
        if len(scores):
            picture(
                plots.plot_months(scores, folder / "months.png"),
                "Each month's trips against the forecast that the run of the month before had made, without knowing the weather.",
            )
        drift = _drift(session, done)
        if drift["STATISTIC"].notna().any():
            picture(
                plots.plot_drift(drift, folder / "drift.png"),
                f"The drift monitor: above {THRESHOLD:g}, errors lean to one side more than chance explains "
                "(at most one false alarm in a hundred months).",
            )
        shock = _around(session, done, SHOCK_FROM, SHOCK_TO)
        if len(shock):
            picture(
                plots.plot_shock(shock, folder / "shock.png", "Forecasts around March 2020"), "The shock of March 2020."
            )
    if answer["models"]:
        champion = (answer["champion"] or {}).get("model")
        parts += ["<h2>Models</h2>", _models_table(answer["models"], champion)]
        picture(plots.plot_comparison(answer["models"], champion, folder / "comparison.png"), "WAPE of the backtest.")
    page = folder / "report.html"
    body = "\n".join(parts)
    page.write_text(
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>tripcast</title><style>{_STYLE}</style>\n'
        f"<body><h1>Trips and their forecasts</h1>\n{body}\n</body></html>\n",
        encoding="utf-8",
    )
    return [page, *pictures]


def newest(done: Sequence[Run]) -> list[Run]:
    """The last made run of each run date, of the model that ran last."""
    if not done:
        return []
    model = max(done, key=lambda run: (run.run_date, str(run.created))).model
    return list({run.run_date: run for run in done if run.model == model}.values())


def month_scores(done: Sequence[Run]) -> pd.DataFrame:
    """MONTH, WAPE, NAIVE_WAPE, BIAS of the months whose forecast was scored."""
    rows = [
        (f"{run.cutoff:%Y-%m}", *(float(scored[key]) for key in ("wape", "naive_wape", "bias")))
        for run in done
        if (scored := run.metrics.get("evaluated")) and scored.get("wape") is not None
    ]
    return pd.DataFrame(rows, columns=["MONTH", "WAPE", "NAIVE_WAPE", "BIAS"])


def _drift(session: Session, done: Sequence[Run]) -> pd.DataFrame:
    mine = session.table(names.DRIFT).filter(F.col("MODEL_ID").in_(*[run.model_id for run in done]))
    frame = mine.sort("DAY").to_pandas()
    frame["DAY"] = pd.to_datetime(frame["DAY"])
    for column in ("ACTUAL", "FORECAST", "STATISTIC", "THRESHOLD"):
        frame[column] = frame[column].astype(float)
    frame["ALARM"] = frame["ALARM"].fillna(False).astype(bool)
    return frame


def _around(session: Session, done: Sequence[Run], first: str, last: str) -> pd.DataFrame:
    """RUN_DATE, DAY, FORECAST, ACTUAL of all stations, on these days."""
    table = session.table(names.FLAT_FORECAST).filter(F.col("MODEL_ID").in_(*[run.model_id for run in done]))
    rows = table.filter(F.col("DAY").between(F.lit(first), F.lit(last)))
    summed = rows.group_by("RUN_DATE", "DAY").agg(F.sum("FORECAST").alias("FORECAST"), F.sum("ACTUAL").alias("ACTUAL"))
    frame = summed.sort("DAY").to_pandas()
    frame["DAY"] = pd.to_datetime(frame["DAY"])
    for column in ("FORECAST", "ACTUAL"):
        frame[column] = frame[column].astype(float)
    return frame


def _cell(value: Any, digits: int = 3) -> str:
    if value is None:
        return "-"
    return f"{value:.{digits}f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    head = "".join(f"<th>{html.escape(title)}</th>" for title in titles)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_cell(value))}</td>" for value in row) + "</tr>\n" for row in rows
    )
    return f"<table><tr>{head}</tr>\n{body}</table>"


def _months_table(done: Sequence[Run]) -> str:
    rows = []
    for run in done:
        scored, drift = run.metrics.get("evaluated") or {}, run.metrics.get("drift") or {}
        alarm = f"{drift['direction']} since {drift['alarm']}" if drift.get("alarm") else "-"
        figures = [scored.get(key) for key in ("wape", "naive_wape", "bias", "coverage_80", "coverage_95")]
        rows.append([f"{run.cutoff:%Y-%m}", run.model, run.trips, *figures, drift.get("statistic"), alarm])
    titles = ["month", "model", "trips seen", "WAPE", "naive", "bias", "in 80 %", "in 95 %", "drift", "alarm"]
    return _table(titles, rows)


def _models_table(models: dict[str, dict[str, Any]], champion: str | None) -> str:
    keys = ("wape", "mae", "rmse", "mase", "rmsse", "bias", "coverage_80", "coverage_95")
    ordered = sorted(models.items(), key=lambda item: (item[1].get("wape") is None, item[1].get("wape")))
    rows = [
        [
            f"{name} (champion)" if name == champion else name,
            *(entry.get(key) for key in keys),
            (entry.get("usual") or {}).get("wape"),
        ]
        for name, entry in ordered
    ]
    return _table(["model", *(key.replace("_", " ") for key in keys), "WAPE, usual weather"], rows)
