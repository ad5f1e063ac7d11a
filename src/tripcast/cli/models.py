"""Commands about models: train, forecast, evaluate, models, explain."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from typing import Any

import click

from tripcast.cli.common import (
    Day,
    Failure,
    Model,
    connection_option,
    echo_json,
    figure,
    h_option,
    json_option,
    model_option,
    print_models,
    progress,
    seed_option,
    warehouse,
)

_parameter_option = click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="Of the model, in place of its own; repeatable.",
)


def _parameters(texts: tuple[str, ...]) -> dict[str, Any]:
    """``rounds=50`` as a dict; a value is JSON, or else a text."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--parameter {text!r} has no value: write NAME=VALUE")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


@click.command()
@connection_option
@model_option
@click.option("--cutoff", type=Day(), help="Last day to learn from. Default: the last day of the trips.")
@seed_option
@_parameter_option
@json_option
def train(
    connection: str | None, model: str, cutoff: date | None, seed: int, parameters: tuple[str, ...], as_json: bool
) -> None:
    """Trains a model and stores it in the warehouse, for `forecast --model-id`.

    Example: tripcast train --model lightgbm --cutoff 2020-02-29
    """
    from tripcast import pipeline

    chosen = _parameters(parameters)
    with warehouse(connection, "TRIPS") as session, progress(as_json) as say:
        run = pipeline.train(session, model, cutoff, seed=seed, parameters=chosen, say=say)
    if as_json:
        echo_json({"model_id": run.model_id, "model": run.model, "cutoff": run.last_day})
    else:
        click.echo(f"{run.model}, trained up to {run.last_day}, is stored as {run.model_id}")


@click.command()
@connection_option
@model_option
@click.option("--model-id", metavar="ID", help="Forecast by this stored model, without training.")
@h_option
@seed_option
@_parameter_option
@json_option
def forecast(
    connection: str | None,
    model: str,
    model_id: str | None,
    h: int,
    seed: int,
    parameters: tuple[str, ...],
    as_json: bool,
) -> None:
    """Forecasts every open station's trips per day, with intervals and explanations, into the table FORECAST.

    The run is kept: a clone of the trips, the features, the forecast, the model, all tagged with its model id.

    Example: tripcast forecast --model lightgbm --h 14
    """
    from tripcast import pipeline
    from tripcast.status import status

    chosen = _parameters(parameters)
    with warehouse(connection, "TRIPS") as session, progress(as_json) as say:
        if model_id is not None:
            pipeline.forecast_by(session, model_id, h)
        else:
            pipeline.forecast(session, model, h, seed=seed, parameters=chosen, say=say)
        answer = status(session)["forecast"]
    if as_json:
        echo_json(answer)
        return
    click.echo(
        f"{answer['model']}: {answer['h']} days after {answer['cutoff']} for {answer['stations']} stations; "
        f"model {answer['model_id']}"
    )


@click.command()
@connection_option
@click.option(
    "--model", "models", type=Model(), multiple=True, help="Which model; repeatable. Default: those that take seconds."
)
@h_option
@click.option("--n-windows", type=click.IntRange(1), default=6, show_default=True, help="How many cutoffs.")
@click.option("--step-size", type=click.IntRange(1), default=30, show_default=True, help="Days between cutoffs.")
@click.option("--since", type=Day(), help="All cutoffs from this day on, instead of --n-windows.")
@click.option("--refit", type=click.IntRange(1), default=1, show_default=True, help="Train at every so many-th cutoff.")
@click.option(
    "--min-history",
    type=click.IntRange(1),
    metavar="DAYS",
    help="Only stations with so many days behind them. Default: 365, fewer where the data is shorter.",
)
@seed_option
@json_option
def evaluate(
    connection: str | None,
    models: tuple[str, ...],
    h: int,
    n_windows: int,
    step_size: int,
    since: date | None,
    refit: int,
    min_history: int | None,
    seed: int,
    as_json: bool,
) -> None:
    """Backtests models on days they had not seen, into the tables BACKTEST and EVAL, and names the champion.

    \b
    Example: tripcast evaluate --h 7 --n-windows 12 --step-size 7
             tripcast evaluate --model lightgbm --model sarimax --since 2019-07-01
    """  # fmt: skip
    from tripcast import pipeline
    from tripcast.status import status

    with warehouse(connection, "TRIPS") as session, progress(as_json) as say:
        say("features")
        pipeline.build_features(session)
        scored = pipeline.backtest(
            session,
            models or pipeline.QUICK,
            h=h,
            n_windows=n_windows,
            step_size=step_size,
            since=since,
            refit=refit,
            min_history=min_history,
            seed=seed,
            say=say,
        )
        answer = status(session)
    if as_json:
        echo_json(
            {"cutoffs": scored.cutoffs, "h": scored.h, "models": answer["models"], "champion": answer["champion"]}
        )
    else:
        click.echo(f"cutoffs {', '.join(cutoff.isoformat() for cutoff in scored.cutoffs)}; h = {scored.h}")
        print_models(answer["models"], (answer["champion"] or {}).get("model"))


@click.command()
@connection_option
@json_option
def models(connection: str | None, as_json: bool) -> None:
    """Lists the runs: which model, from which days, by which code, how it fared.

    Example: tripcast models
    """
    from tripcast.lineage import runs

    with warehouse(connection, "RUNS") as session:
        found = runs.read(session)
    if as_json:
        echo_json([asdict(run) for run in found])
        return
    if not found:
        click.echo("No model yet: tripcast forecast or tripcast month makes one.")
        return
    titles = f"{'run date':<12}{'model':<16}{'trips':>10}  {'seen':<25}{'earlier WAPE':>13}{'drift':>9}  model id"
    click.echo(titles)
    for run in found:
        scored, drift = run.metrics.get("evaluated") or {}, run.metrics.get("drift") or {}
        seen = f"{run.data_from or '-'} to {run.data_to or '-'}"
        notes = [] if run.finished else ["unfinished"]
        notes += [f"{run.forgotten} trips forgotten"] if run.forgotten else []
        click.echo(
            f"{run.run_date!s:<12}{run.model:<16}{run.trips or 0:>10,}  {seen:<25}{figure(scored.get('wape')):>13}"
            f"{drift.get('direction') or '-' if drift.get('alarm') else '-':>9}  {run.model_id}"
            + (f"  ({', '.join(notes)})" if notes else "")
        )


@click.command()
@connection_option
@click.argument("station", required=False)
@click.option("--day", type=Day(), help="Only this day. Default: all that are forecast.")
@click.option("--model", type=Model(), help="Whose forecast. Default: the newest.")
@json_option
def explain(connection: str | None, station: str | None, day: date | None, model: str | None, as_json: bool) -> None:
    """Says what pushed STATION's forecast up or down, in trips. STATION is an id, a name or a part of one; without it, the
    station with the most trips is taken.

    Example: tripcast explain "Grove St PATH" --day 2021-04-01
    """
    from tripcast.lineage.explain import busiest, explanations

    with warehouse(connection, "FORECAST") as session:
        station = station or busiest(session)
        found = explanations(session, station, day, model)
    if as_json:
        echo_json([asdict(row) for row in found])
        return
    if not found:
        raise Failure(f"no forecast of {station!r}" + (f" on {day}" if day else ""))
    click.echo(f"{found[0].station_name} ({found[0].station_id}), {found[0].model} from {found[0].cutoff}")
    for row in found:
        interval = "" if row.low_80 is None else f", 80 % between {row.low_80:.0f} and {row.high_80:.0f}"
        click.echo(f"{row.day:%a %Y-%m-%d}  {row.forecast:6.1f} trips{interval}")
        if row.fallback:
            click.echo(f"    {row.fallback}")
        for name, trips in sorted(row.explanation.items(), key=lambda item: -abs(item[1])):
            click.echo(f"    {trips:+7.1f}  {name}")
