"""Commands about runs: month, replay, report, reproduce, forget."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tripcast.cli.common import (
    Month,
    connection_option,
    echo_json,
    figure,
    folder_type,
    h_option,
    json_option,
    model_option,
    progress,
    seed_option,
    warehouse,
)

DIFFERS = 1
_trips_option = click.option(
    "--trips", type=folder_type, metavar="FOLDER", help="Where the files are. Default: the published ones."
)


@click.command()
@connection_option
@click.argument("month", type=Month())
@_trips_option
@model_option
@h_option
@seed_option
@json_option
def month(connection: str | None, month: str, trips: Path | None, model: str, h: int, seed: int, as_json: bool) -> None:
    """Runs the monthly taskflow for MONTH: load its file, train, forecast the days after it, score the month before's
    forecast, watch for drift.

    A run that was killed goes on where it stopped; a month that was run before changes nothing.

    Example: tripcast month 2020-04 --trips ./trips
    """
    from tripcast import pipeline

    with warehouse(connection, "RUNS") as session, progress(as_json) as say:
        run = pipeline.month(session, month, trips, model=model, h=h, seed=seed, say=say)
    if as_json:
        echo_json(asdict(run))
    else:
        _print_header()
        _print_month(run)
        click.echo(f"model {run.model_id}: {run.h} days from {run.run_date} in FORECAST and FLAT_FORECAST")


@click.command()
@connection_option
@click.option("--first", type=Month(), required=True, help="First month.")
@click.option("--last", type=Month(), required=True, help="Last month.")
@_trips_option
@model_option
@h_option
@seed_option
@json_option
def replay(
    connection: str | None,
    first: str,
    last: str,
    trips: Path | None,
    model: str,
    h: int,
    seed: int,
    as_json: bool,
) -> None:
    """Runs the monthly taskflow for each month from FIRST to LAST, as if each were the newest.

    With --trips the files of earlier months are loaded first.

    Example: tripcast replay --first 2020-01 --last 2021-03 --trips ./trips
    """
    from tripcast import pipeline

    done: list[Any] = []
    with warehouse(connection, "RUNS") as session, progress(as_json) as say:
        for run in pipeline.replay(session, first, last, trips, model=model, h=h, seed=seed, say=say):
            done.append(run)
            if not as_json:
                if len(done) == 1:
                    _print_header()
                _print_month(run)
    if as_json:
        echo_json([asdict(run) for run in done])


def _print_header() -> None:
    click.echo(f"{'month':<9}{'model':<16}{'trips':>11}{'WAPE':>8}{'naive':>8}{'bias':>8}{'drift':>8}  alarm")


def _print_month(run: Any) -> None:
    """A run's line: how the forecast of its month, made the month before, fared."""
    scored, drift = run.metrics.get("evaluated") or {}, run.metrics.get("drift") or {}
    figures = [scored.get("wape"), scored.get("naive_wape"), scored.get("bias")]
    click.echo(
        f"{run.cutoff:%Y-%m}  {run.model:<16}{run.trips or 0:>11,}"
        + "".join(f"{figure(value):>8}" for value in figures)
        + f"{figure(drift.get('statistic'), 1):>8}"
        + (f"  {drift['direction']} since {drift['alarm']}" if drift.get("alarm") else "")
    )


@click.command()
@connection_option
@click.option(
    "--folder",
    type=folder_type,
    default=Path("out"),
    show_default=True,
    help="Where report.html and plots are written.",
)
@json_option
def report(connection: str | None, folder: Path, as_json: bool) -> None:
    """Writes a report of the monthly runs and the backtest: tables and plots, in one HTML page.

    Example: tripcast report --folder ./out
    """
    from tripcast.report import write_report

    with warehouse(connection, "RUNS") as session:
        written = write_report(session, folder)
    if as_json:
        echo_json({"files": [str(path) for path in written]})
    else:
        for path in written:
            click.echo(str(path))


@click.command()
@connection_option
@click.argument("model_id")
@click.option("--anyway", is_flag=True, help="Also with other code than the run's.")
@json_option
def reproduce(connection: str | None, model_id: str, anyway: bool, as_json: bool) -> None:
    """Repeats a run from its clone and compares the forecasts bit by bit. Exit code 0 if all are equal, else 1.

    Example: tripcast reproduce 0b53c7d2_8f0e_11ee_b9d1_0242ac120002
    """
    from tripcast.lineage.reproduce import reproduce as repeat

    with warehouse(connection, "RUNS") as session, progress(as_json) as say:
        say("features, training and forecasts from the clone")
        done = repeat(session, model_id, anyway)
    if as_json:
        echo_json(asdict(done) | {"same": done.same})
    elif done.same:
        click.echo(f"All {done.rows:,} forecasts of {done.model_id} are equal to the last bit.")
    else:
        click.echo(
            f"{done.differ:,} of {done.rows:,} forecasts differ, by {figure(done.largest, 4)} trips at most; "
            f"{done.missing:,} are missing, {done.added:,} are new."
        )
        if done.forgotten:
            click.echo(f"{done.forgotten} trips that it had seen were forgotten since.")
        if done.code != done.code_now:
            click.echo(f"It was made by {done.code}; this is {done.code_now}.")
    if not done.same:
        raise SystemExit(DIFFERS)


@click.command()
@connection_option
@click.option("--ride", "rides", multiple=True, metavar="ID", help="This ride, or BIKE@START; repeatable.")
@click.option("--bike", type=int, metavar="ID", help="All rides of this bike.")
@click.option("--retrain", is_flag=True, help="Train the models that had seen them again, without them.")
@json_option
def forget(connection: str | None, rides: tuple[str, ...], bike: int | None, retrain: bool, as_json: bool) -> None:
    """Removes rides from TRIPS, the raw tables, every clone and the staged files, and keeps later loads from bringing them
    back. Lists what was computed from them.

    \b
    Example: tripcast forget --ride 5B0E7F2C6B0A4A3D --retrain
             tripcast forget --ride "29512@2018-01-01 00:01:45.814"
             tripcast forget --bike 29512
    """
    from tripcast import pipeline

    if not rides and bike is None:
        raise click.UsageError("Say what to forget: --ride ID or --bike ID.")
    with warehouse(connection, "RUNS") as session, progress(as_json) as say:
        done, new = pipeline.forget(session, rides, bike, retrain, say)
    if as_json:
        echo_json(asdict(done) | {"retrained": new})
        return
    click.echo(f"{done.rides:,} rides are gone from {len(done.rows)} tables and {len(done.files)} staged files.")
    for model_id in done.models:
        click.echo(f"  seen by model {model_id}" + (f", trained again as {new[model_id]}" if model_id in new else ""))
    if done.models and not retrain:
        click.echo("  --retrain trains these again without them")
    if done.derived:
        click.echo(f"Computed from them and kept: {', '.join(done.derived)}")
    click.echo(
        "Time travel shows what the tables held until their DATA_RETENTION_TIME_IN_DAYS is over. To end that at once:"
    )
    click.echo("  ALTER TABLE ... SET DATA_RETENTION_TIME_IN_DAYS = 0   of each of these tables:")
    click.echo(f"  {', '.join(done.rows)}")
