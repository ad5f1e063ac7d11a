"""The command demo: the whole way, from files to forecasts, with tables and plots."""

from __future__ import annotations

import os
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import click

from tripcast.cli.common import (
    Model,
    close,
    connection_option,
    figure,
    files_bar,
    folder_type,
    print_models,
    progress,
    step,
)
from tripcast.cli.data import print_report


@click.command()
@connection_option
@click.option(
    "--trips", type=folder_type, metavar="FOLDER", help="Trip files; else the published ones, else synthetic ones."
)
@click.option(
    "--model",
    "models",
    type=Model(),
    multiple=True,
    help="Models to compare; repeatable. Default: all that are installed.",
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    default="2019-07-01",
    show_default=True,
    help="First cutoff of the backtest, not before a year of data; then every 30 days.",
)
@click.option("--folder", type=folder_type, default=Path("out"), show_default=True, help="Where the plots are written.")
def demo(connection: str | None, trips: Path | None, models: tuple[str, ...], since: Any, folder: Path) -> None:
    """Set-up, load, holidays, weather if it is shared, features, a backtest of all models, and the champion's forecast of 30
    days for every station with intervals and explanations; tables and plots.

    Example: tripcast demo --trips ./trips
    """  # fmt: skip
    from tripcast import pipeline, plots
    from tripcast.connection import connect
    from tripcast.lineage.explain import explanations
    from tripcast.setup import set_up
    from tripcast.status import status as read_status

    session = connect(connection, database=None)
    try:
        with step("set-up"):
            set_up(session)
        with tempfile.TemporaryDirectory(prefix="tripcast-") as scratch:
            chosen = pipeline.choose_trips(session, trips, Path(scratch), click.echo)
            click.echo(f"Loading {chosen.note}")
            with step("load"), files_bar(len(chosen.files)) as advance:
                report = pipeline.load_trips(session, chosen, advance)
        print_report(report)
        with step("weather"):
            days = pipeline.take_weather(session)
        click.echo(
            f"WEATHER holds {days:,} days" if days else "No weather is shared: forecasts go without (see WEATHER=)"
        )
        with step("features"):
            pipeline.build_features(session)
        chosen_models = models or pipeline.installed_models()
        with step("backtest"), progress() as say:
            scored = pipeline.demo_backtest(session, chosen_models, since.date(), say)
        with step("forecast"), progress() as say:
            run = pipeline.forecast(session, say=say)
        answer = read_status(session)
        champion = (answer["champion"] or {}).get("model")
        with step("plots"):
            kind = "Synthetic trips" if answer["synthetic"] else "Trips"
            title = f"{kind} per day at {answer['stations']} stations"
            cutoff = date.fromisoformat(answer["forecast"]["cutoff"])
            pictures = [
                plots.plot_forecast(session, run.model, cutoff, folder / "forecast.png", title),
                plots.plot_comparison(answer["models"], champion, folder / "comparison.png"),
            ]
            busiest = pipeline.busiest_station(session, run.model_id)
            explained = explanations(session, busiest, model=run.model)
            if explained and explained[0].explanation:
                pictures.append(plots.plot_explanation(explained[0], folder / "explanation.png"))
    finally:
        close(session)
    click.echo()
    if answer["synthetic"]:
        click.echo("These trips are SYNTHETIC: invented by tripcast, nobody rode them.")
    click.echo(f"Trips     {answer['trips']:>12,}")
    click.echo(f"Stations  {answer['stations']:>12,}")
    click.echo(f"Days      {answer['first_day']:>12} to {answer['last_day']}")
    click.echo(
        f"Backtest  {len(scored.cutoffs):>12} cutoffs x {scored.h} days, {scored.cutoffs[0]} to {scored.cutoffs[-1]}"
    )
    click.echo()
    print_models(answer["models"], champion)
    click.echo()
    click.echo(
        f"Forecast  {answer['forecast']['h']} days from {run.run_date} for {answer['forecast']['stations']} stations by "
        f"{run.model}, model {run.model_id}"
    )
    for row in explained[:1]:
        told = ", ".join(f"{name} {trips:+.1f}" for name, trips in _largest(row.explanation))
        interval = f" (80 %: {figure(row.low_80, 0)} to {figure(row.high_80, 0)})" if row.low_80 is not None else ""
        click.echo(
            f"          {row.station_name}, {row.day}: {row.forecast:.0f} trips{interval}"
            + (f"; {told}" if told else "")
        )
    for picture in pictures:
        click.echo(f"Plot      {picture}")
    click.echo()
    # As it was called, so that the lines work as typed from here.
    tripcast = sys.argv[0] if os.sep in sys.argv[0] else "tripcast"
    click.echo("Try next:")
    click.echo(f"  {tripcast} status --json                     what the warehouse holds")
    click.echo(f"  {tripcast} explain {busiest}                    what pushed its forecasts up or down")
    click.echo(f"  {tripcast} reproduce {run.model_id}   the same forecast again, from the clone")
    click.echo(f"  {tripcast} replay --first 2020-01 --last 2020-06 && {tripcast} report   the shock, month by month")


def _largest(explanation: dict[str, float], most: int = 3) -> list[tuple[str, float]]:
    return sorted(explanation.items(), key=lambda item: -abs(item[1]))[:most]
