"""The command line: tripcast setup | load | weather | forecast | evaluate | status | demo | synthesize.

Exit codes: 0 done, 1 it failed (one line says why), 2 the command was mistyped, 3 (load) done, but files or lines were
left out, as the report says.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

LEFT_OUT = 3
_MONTH = r"20\d\d-(0[1-9]|1[0-2])"


class _Failure(click.ClickException):
    """One line on standard error, exit code 1."""


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        from snowflake.connector.errors import Error
        from snowflake.snowpark.exceptions import SnowparkClientException

        from tripcast.connection import NoConnection
        from tripcast.pipeline import CannotMix
        from tripcast.sources.archive import Unreachable
        from tripcast.sources.formats import BadFile

        try:
            return super().invoke(ctx)
        except BadFile as error:
            raise _Failure(str(error) if error.line is None else f"line {error.line}: {error}") from error
        except (NoConnection, CannotMix, Unreachable, LookupError, ValueError, OSError) as error:
            raise _Failure(str(error)) from error
        except (Error, SnowparkClientException) as error:
            raise _Failure(f"the warehouse says: {' '.join(str(error).split())}") from error


class _Month(click.ParamType):
    name = "YYYY-MM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        import re

        if not re.fullmatch(_MONTH, value):
            self.fail(f"{value!r} is no month: write it as 2020-09", param, ctx)
        return str(value)


_connection = click.option(
    "--connection", metavar="NAME", help="Connection of connections.toml. Default: $TRIPCAST_CONNECTION, else its own."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
_folder = click.Path(file_okay=False, path_type=Path)


@contextmanager
def _session(connection: str | None, need: str | None = None) -> Iterator[Any]:
    """A session in tripcast's database; with ``need``, a failure if that table does not exist."""
    from tripcast import connection as connections
    from tripcast import pipeline

    session = connections.connect(connection)
    try:
        if need and (not connections.use_database(session) or pipeline.needs(session, need)):
            raise _Failure(
                f"there is no {need} yet: {'tripcast load' if need != 'LOAD_FILES' else 'tripcast setup'} makes it"
            )
        yield session
    finally:
        _close(session)


def _close(session: Any) -> None:
    from snowflake.snowpark.exceptions import SnowparkClientException

    with suppress(SnowparkClientException):  # what went wrong before is what matters
        session.close()


def _echo_json(value: Any) -> None:
    click.echo(json.dumps(value, default=str))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="polynya", prog_name="tripcast")
def main() -> None:
    """Bike-share trips to daily forecasts per station, computed in a warehouse through Snowpark.

    Example: tripcast setup && tripcast load --trips ./trips && tripcast forecast
    """


@main.command()
@_connection
@click.option("--user", "users", multiple=True, metavar="NAME", help="Make this user too; repeatable.")
@_json
def setup(connection: str | None, users: tuple[str, ...], as_json: bool) -> None:
    """Makes the role, warehouses, database, stages and tables that do not exist yet.

    Example: tripcast setup --user ANNA
    """
    from tripcast.connection import connect
    from tripcast.setup import set_up

    session = connect(connection, database=None)
    try:
        passwords = set_up(session, users=users)
    finally:
        _close(session)
    if as_json:
        _echo_json({"first_passwords": passwords})
        return
    click.echo("The warehouse is set up.")
    for user, password in passwords.items():
        click.echo(f"First password of {user}: {password}")


@main.command()
@_connection
@click.option("--trips", type=_folder, metavar="FOLDER", help="Load the trip files of this folder.")
@click.option("--archive", is_flag=True, help="Load the published Jersey City files.")
@click.option("--synthetic", type=click.IntRange(1), metavar="N", help="Load N invented trips.")
@click.option("--month", type=_Month(), help="Only this month's files.")
@click.option("--first", type=_Month(), help="Only files from this month on.")
@click.option("--last", type=_Month(), help="Only files up to this month.")
@_json
def load(
    connection: str | None,
    trips: Path | None,
    archive: bool,
    synthetic: int | None,
    month: str | None,
    first: str | None,
    last: str | None,
    as_json: bool,
) -> None:
    """Loads trip files into TRIPS; files loaded before are skipped, an unfinished load is finished.

    What had to be left out is printed and kept in the table LOAD_ISSUES; the exit code is then 3.

    \b
    Example: tripcast load --trips ./trips
             tripcast load --archive --month 2020-09
    """
    from tripcast import pipeline
    from tripcast.sources import choose

    if (trips is not None) + archive + (synthetic is not None) != 1:
        raise click.UsageError("Say what to load: --trips FOLDER, --archive or --synthetic N.")
    if month and (first or last):
        raise click.UsageError("--month excludes --first and --last.")
    first, last = month or first, month or last
    with _session(connection, "LOAD_FILES") as session, tempfile.TemporaryDirectory(prefix="tripcast-") as scratch:
        if trips is not None:
            chosen = choose.from_folder(trips, first, last)
        elif archive:
            chosen = choose.from_archive(first=first or choose.FIRST_MONTH, last=last or choose.LAST_MONTH)
        else:
            bounds = first or choose.FIRST_MONTH, last or choose.LAST_MONTH
            chosen = choose.invented(Path(scratch), int(synthetic or 0), *bounds)
        with _files_bar(len(chosen.files), quiet=as_json) as advance:
            report = pipeline.load_trips(session, chosen, advance)
    if as_json:
        _echo_json(asdict(report))
    else:
        _print_report(report)
    if any(not issue.kept for issue in report.issues):
        raise SystemExit(LEFT_OUT)


@contextmanager
def _files_bar(count: int, quiet: bool = False) -> Iterator[Any]:
    """A progress bar on standard error over the files that are extracted; none where that is no terminal."""
    from tqdm import tqdm

    with tqdm(total=count, desc="files", unit="file", leave=False, disable=True if quiet else None) as bar:

        def advance(name: str) -> None:
            bar.set_postfix_str(name, refresh=False)
            bar.update()

        yield advance


def _print_report(report: Any) -> None:
    from tripcast.elt.report import describe

    left_out = [issue for issue in report.issues if not issue.kept]
    kept = [issue for issue in report.issues if issue.kept]
    click.echo(
        f"{report.files} files: {report.files - report.skipped} new or unfinished, {report.skipped} loaded before"
        + (f", {report.rejected} rejected" if report.rejected else "")
    )
    click.echo(
        f"{report.lines:,} lines: {report.new_trips:,} new trips, {report.repeated:,} repeated, "
        f"{report.left_out:,} left out; TRIPS holds {report.trips:,}"
    )
    if left_out:
        click.echo("Left out:")
        for line in describe(left_out):
            click.echo(f"  {line}")
    if kept:
        click.echo("Kept, but worth knowing:")
        for line in describe(kept):
            click.echo(f"  {line}")


@main.group()
def weather() -> None:
    """Weather of the days of the past, and what is usual on the days to come, as a share.

    Example: tripcast weather publish --file central_park.csv
    """


@weather.command("publish")
@click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="GHCN daily file (CSV).",
)
@click.option(
    "--folder", type=_folder, default=Path("weather"), show_default=True, help="Where the listing is written."
)
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Last day. Default: a year from today."
)
@_json
def publish_weather(file: Path, folder: Path, until: Any, as_json: bool) -> None:
    """Writes a weather listing, a folder of Parquet files, from the file of one station.

    Days after the last one of the file are means over its years: they are labelled CLIMATOLOGY. Without a file there is no
    weather; none is invented.

    Example: tripcast weather publish --file ../shared/data/weather/central_park_weather.csv
    """
    from datetime import date

    from tripcast.sources.weather import DATABASE, SHARE, publish

    made = publish(file, folder, date.today(), until.date() if until else None)
    if as_json:
        _echo_json(asdict(made))
        return
    click.echo(
        f"{made.station}: {made.days:,} days measured, {made.first_day} to {made.last_day}"
        + (f", {made.absent:,} days absent" if made.absent else "")
        + f"; climatology to {made.until}. Written to {made.folder}."
    )
    click.echo("Give it to the warehouse, once, and take it:")
    click.echo(f"  polynya share add {SHARE} --folder {made.folder}")
    click.echo(f"  tripcast weather load        makes {DATABASE} and the table WEATHER")


@weather.command("load")
@_connection
@click.option("--share", metavar="ACCOUNT.SHARE", help="Take this share. Default: the one that publish names.")
@_json
def load_weather(connection: str | None, share: str | None, as_json: bool) -> None:
    """Makes the listing's database from its share, and the table WEATHER from the listing.

    Example: tripcast weather load
    """
    from tripcast.features.weather import materialize_weather, take_listing
    from tripcast.sources.weather import SHARE

    with _session(connection, "LOAD_FILES") as session:
        take_listing(session, share or SHARE)
        days = materialize_weather(session)
    if as_json:
        _echo_json({"days": days})
    else:
        click.echo(f"WEATHER holds {days:,} days.")


@main.command()
@_connection
@click.option("--h", "h", type=click.IntRange(1, 366), default=30, show_default=True, help="Days to forecast.")
@_json
def forecast(connection: str | None, h: int, as_json: bool) -> None:
    """Forecasts every open station's trips per day into the table FORECAST.

    Example: tripcast forecast --h 14
    """
    from tripcast import pipeline
    from tripcast.status import status

    with _session(connection, "TRIPS") as session:
        pipeline.build_features(session)
        pipeline.forecast(session, h=h)
        answer = status(session)["forecast"]
    if as_json:
        _echo_json(answer)
    else:
        click.echo(f"{answer['model']}: {answer['h']} days after {answer['cutoff']} for {answer['stations']} stations")


@main.command()
@_connection
@click.option("--h", "h", type=click.IntRange(1, 366), default=30, show_default=True, help="Days to forecast.")
@click.option("--n-windows", type=click.IntRange(1), default=6, show_default=True, help="How many cutoffs.")
@click.option("--step-size", type=click.IntRange(1), default=30, show_default=True, help="Days between cutoffs.")
@_json
def evaluate(connection: str | None, h: int, n_windows: int, step_size: int, as_json: bool) -> None:
    """Backtests the models on days they had not seen, into the tables BACKTEST and EVAL.

    Example: tripcast evaluate --h 7 --n-windows 12 --step-size 7
    """
    from tripcast import pipeline
    from tripcast.status import status

    with _session(connection, "TRIPS") as session:
        pipeline.build_features(session)
        scored = pipeline.backtest(session, h=h, n_windows=n_windows, step_size=step_size)
        models = status(session)["models"]
    if as_json:
        _echo_json({"cutoffs": scored.cutoffs, "h": scored.h, "models": models})
    else:
        click.echo(f"cutoffs {', '.join(cutoff.isoformat() for cutoff in scored.cutoffs)}; h = {scored.h}")
        _print_models(models)


def _print_models(models: dict[str, dict[str, float]]) -> None:
    click.echo(f"{'model':<20}{'MAE':>8}{'RMSE':>8}{'WAPE':>8}{'MASE':>8}{'bias':>8}")
    for name, figures in models.items():
        shown = [figures[metric] for metric in ("mae", "rmse", "wape", "mase", "bias")]
        click.echo(f"{name:<20}" + "".join(f"{'-' if value is None else format(value, '.3f'):>8}" for value in shown))


@main.command()
@_connection
@_json
def status(connection: str | None, as_json: bool) -> None:
    """Says what the warehouse holds: trips, stations, days, files, forecast, backtest figures.

    Example: tripcast status --json
    """
    from tripcast.connection import use_database
    from tripcast.status import status as read_status

    with _session(connection) as session:
        answer = read_status(session if use_database(session) else None)
    if as_json:
        _echo_json(answer)
        return
    kind = "synthetic trips" if answer["synthetic"] else "trips"
    click.echo(
        f"{answer['trips']:,} {kind} at {answer['stations']} stations, "
        f"{answer['first_day'] or '-'} to {answer['last_day'] or '-'}"
    )
    files = answer["files"]
    click.echo(
        f"{files['loaded']} files loaded, {files['rejected']} rejected, {answer['lines_left_out']} lines left out "
        "(table LOAD_ISSUES)"
    )
    if answer["models"]:
        _print_models(answer["models"])


@main.command()
@_connection
@click.option(
    "--trips", type=_folder, metavar="FOLDER", help="Trip files; else the published ones, else synthetic ones."
)
@click.option(
    "--plot", type=click.Path(dir_okay=False, path_type=Path), default=Path("out/forecast.png"), show_default=True
)
def demo(connection: str | None, trips: Path | None, plot: Path) -> None:
    """Set-up, load, station-days, a forecast of 30 days for every station, its backtest, a plot.

    Example: tripcast demo --trips ./trips
    """
    from tripcast import pipeline
    from tripcast.connection import connect
    from tripcast.plots import plot_forecast
    from tripcast.setup import set_up
    from tripcast.status import status as read_status

    session = connect(connection, database=None)
    try:
        with _step("set-up"):
            set_up(session)
        with tempfile.TemporaryDirectory(prefix="tripcast-") as scratch:
            chosen = pipeline.choose_trips(session, trips, Path(scratch), click.echo)
            click.echo(f"Loading {chosen.note}")
            with _step("load"), _files_bar(len(chosen.files)) as advance:
                report = pipeline.load_trips(session, chosen, advance)
        _print_report(report)
        with _step("station-days"):
            pipeline.build_features(session)
        with _step("forecast"):
            cutoff = pipeline.forecast(session)
        with _step("backtest"):
            scored = pipeline.backtest(session)
        answer = read_status(session)
        with _step("plot"):
            kind = "Synthetic trips" if answer["synthetic"] else "Trips"
            title = f"{kind} per day at {answer['stations']} stations, and the next {scored.h} days"
            plot_forecast(session, scored.model, cutoff, plot, title)
    finally:
        _close(session)
    figures = answer["models"][scored.model]
    click.echo()
    if answer["synthetic"]:
        click.echo("These trips are SYNTHETIC: invented by tripcast, nobody rode them.")
    click.echo(f"Trips     {answer['trips']:>12,}")
    click.echo(f"Stations  {answer['stations']:>12,}")
    click.echo(f"Days      {answer['first_day']:>12} to {answer['last_day']}")
    click.echo(
        f"WAPE      {figures['wape']:>12.3f}   {scored.model}, {len(scored.cutoffs)} cutoffs x {scored.h} days, "
        f"bias {figures['bias']:+.3f}"
    )
    click.echo(f"Plot      {plot}")
    click.echo()
    # As it was called, so that the lines work as typed from here.
    tripcast = sys.argv[0] if os.sep in sys.argv[0] else "tripcast"
    click.echo("Try next:")
    click.echo(f"  {tripcast} status --json                     what the warehouse holds")
    click.echo(f"  {tripcast} evaluate --h 7 --n-windows 12     another backtest")


@contextmanager
def _step(name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    click.echo(f"{name:<13}{time.perf_counter() - start:7.1f} s")


@main.command()
@click.argument("folder", type=_folder)
@click.option("--trips", type=click.IntRange(0), default=300_000, show_default=True, help="How many trips.")
@click.option("--stations", type=click.IntRange(1), default=50, show_default=True, help="How many stations.")
@click.option("--first", type=_Month(), default="2017-11", show_default=True, help="First month.")
@click.option("--last", type=_Month(), default="2021-03", show_default=True, help="Last month.")
@click.option("--seed", type=int, default=1, show_default=True, help="Other seeds, other trips.")
@_json
def synthesize(folder: Path, trips: int, stations: int, first: str, last: str, seed: int, as_json: bool) -> None:
    """Writes files of synthetic trips, in all the formats of real ones, to FOLDER.

    Example: tripcast synthesize ./synthetic --trips 1000000
    """
    from tqdm import tqdm

    from tripcast.sources.synthetic import generate

    with tqdm(total=trips, unit="row", unit_scale=True, leave=False, disable=True if as_json else None) as bar:
        made = generate(folder, trips, first, last, stations, seed, progress=bar.update)
    if as_json:
        _echo_json(asdict(made))
    else:
        click.echo(f"{made.trips:,} synthetic trips in {made.rows:,} lines, {len(made.files)} files in {folder}")


if __name__ == "__main__":
    main()
