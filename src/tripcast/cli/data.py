"""Commands that bring trips in and say what there is: setup, load, status, synthesize."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tripcast.cli.common import (
    LEFT_OUT,
    Month,
    close,
    connection_option,
    echo_json,
    files_bar,
    folder_type,
    json_option,
    print_models,
    warehouse,
)


@click.command()
@connection_option
@click.option("--user", "users", multiple=True, metavar="NAME", help="Make this user too; repeatable.")
@json_option
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
        close(session)
    if as_json:
        echo_json({"first_passwords": passwords})
        return
    click.echo("The warehouse is set up.")
    for user, password in passwords.items():
        click.echo(f"First password of {user}: {password}")


@click.command()
@connection_option
@click.option("--trips", type=folder_type, metavar="FOLDER", help="Load the trip files of this folder.")
@click.option("--archive", is_flag=True, help="Load the published Jersey City files.")
@click.option("--synthetic", type=click.IntRange(1), metavar="N", help="Load N invented trips.")
@click.option("--month", type=Month(), help="Only this month's files.")
@click.option("--first", type=Month(), help="Only files from this month on.")
@click.option("--last", type=Month(), help="Only files up to this month.")
@json_option
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
    with warehouse(connection, "LOAD_FILES") as session, tempfile.TemporaryDirectory(prefix="tripcast-") as scratch:
        if trips is not None:
            chosen = choose.from_folder(trips, first, last)
        elif archive:
            chosen = choose.from_archive(first=first or choose.FIRST_MONTH, last=last or choose.LAST_MONTH)
        else:
            bounds = first or choose.FIRST_MONTH, last or choose.LAST_MONTH
            chosen = choose.invented(Path(scratch), int(synthetic or 0), *bounds)
        with files_bar(len(chosen.files), quiet=as_json) as advance:
            report = pipeline.load_trips(session, chosen, advance)
    if as_json:
        echo_json(asdict(report))
    else:
        print_report(report)
    if any(not issue.kept for issue in report.issues):
        raise SystemExit(LEFT_OUT)


def print_report(report: Any) -> None:
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


@click.command()
@connection_option
@json_option
def status(connection: str | None, as_json: bool) -> None:
    """Says what the warehouse holds: trips, stations, days, files, forecast, backtest figures, champion, drift.

    Example: tripcast status --json
    """
    from tripcast.connection import use_database
    from tripcast.status import status as read_status

    with warehouse(connection) as session:
        answer = read_status(session if use_database(session) else None)
    if as_json:
        echo_json(answer)
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
    if answer["forecast"]:
        newest = answer["forecast"]
        click.echo(
            f"Forecast: {newest['model']}, {newest['h']} days after {newest['cutoff']}, {newest['stations']} stations, "
            f"model {newest['model_id']}"
        )
    if answer["drift"] and answer["drift"].get("alarm"):
        click.echo(
            f"Drift: a {answer['drift']['direction']} since {answer['drift']['alarm']} in the last month (tripcast report)"
        )
    if answer["models"]:
        print_models(answer["models"], (answer["champion"] or {}).get("model"))


@click.command()
@click.argument("folder", type=folder_type)
@click.option("--trips", type=click.IntRange(0), default=300_000, show_default=True, help="How many trips.")
@click.option("--stations", type=click.IntRange(1), default=50, show_default=True, help="How many stations.")
@click.option("--first", type=Month(), default="2017-11", show_default=True, help="First month.")
@click.option("--last", type=Month(), default="2021-03", show_default=True, help="Last month.")
@click.option("--seed", type=int, default=1, show_default=True, help="Other seeds, other trips.")
@json_option
def synthesize(folder: Path, trips: int, stations: int, first: str, last: str, seed: int, as_json: bool) -> None:
    """Writes files of synthetic trips, in all the formats of real ones, to FOLDER.

    Example: tripcast synthesize ./synthetic --trips 1000000
    """
    from tqdm import tqdm

    from tripcast.sources.synthetic import generate

    with tqdm(total=trips, unit="row", unit_scale=True, leave=False, disable=True if as_json else None) as bar:
        made = generate(folder, trips, first, last, stations, seed, progress=bar.update)
    if as_json:
        echo_json(asdict(made))
    else:
        click.echo(f"{made.trips:,} synthetic trips in {made.rows:,} lines, {len(made.files)} files in {folder}")
