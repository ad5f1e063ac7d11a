"""The commands of the task graph inside the warehouse: tasks deploy, run, status, drop."""

from __future__ import annotations

from dataclasses import asdict

import click

from tripcast.cli.common import (
    connection_option,
    echo_json,
    h_option,
    json_option,
    model_option,
    progress,
    seed_option,
    warehouse,
)


@click.group()
def tasks() -> None:
    """The monthly taskflow as a task graph inside the warehouse, which runs by itself when new trips have been loaded.

    Example: tripcast tasks deploy && tripcast load --month 2020-04 && tripcast tasks run --wait
    """


@tasks.command()
@connection_option
@click.option("--cron", default="0 6 2 * *", show_default=True, metavar="FIELDS", help="When it looks for new trips.")
@click.option("--zone", default="America/New_York", show_default=True, help="Time zone of the schedule.")
@model_option
@h_option
@seed_option
def deploy(connection: str | None, cron: str, zone: str, model: str, h: int, seed: int) -> None:
    """Makes the task graph, in place of an earlier one, and starts its schedule.

    Example: tripcast tasks deploy --cron "0 6 * * MON" --model lightgbm
    """
    from tripcast import pipeline
    from tripcast import tasks as graph

    with warehouse(connection, "RUNS") as session:
        graph.deploy(session, cron=cron, zone=zone, model=pipeline.learner_name(session, model), h=h, seed=seed)
    click.echo(f"{graph.GRAPH}: {len(graph.STEPS)} steps, {cron} {zone}, whenever there are new trips")


@tasks.command()
@connection_option
@click.option("--retry", is_flag=True, help="Only what failed last time, and what comes after.")
@click.option("--wait", is_flag=True, help="Wait until it is done.")
def run(connection: str | None, retry: bool, wait: bool) -> None:
    """Runs the task graph now. Without new trips it does nothing.

    Example: tripcast tasks run --wait
    """
    from tripcast import tasks as graph

    with warehouse(connection, "RUNS") as session, progress() as say:
        graph.run(session, retry)
        if wait:
            click.echo(graph.wait(session, say).lower())


@tasks.command()
@connection_option
@click.option("--limit", type=click.IntRange(1, 1000), default=12, show_default=True, help="How many runs of steps.")
@json_option
def status(connection: str | None, limit: int, as_json: bool) -> None:
    """Shows the last runs of the graph's steps, newest first, and when it runs next.

    Example: tripcast tasks status --limit 6
    """
    from tripcast import tasks as graph

    with warehouse(connection, "RUNS") as session:
        found, runs = graph.steps(session, limit), graph.graph_runs(session)
    upcoming = [one.scheduled_time for one in runs if one.state == "SCHEDULED"]
    if as_json:
        echo_json({"steps": [asdict(step) for step in found], "next": upcoming[0] if upcoming else None})
        return
    click.echo(f"next look for new trips: {upcoming[0]:%Y-%m-%d %H:%M %Z}" if upcoming else "no schedule")
    for step in found:
        began = f"{step.started:%Y-%m-%d %H:%M:%S}" if step.started else "-"
        error = (step.error or "").partition("\n")[0]
        click.echo(f"{began:<21}{step.name:<11}{step.state.lower():<11}{error}".rstrip())


@tasks.command()
@connection_option
def drop(connection: str | None) -> None:
    """Removes the task graph.

    Example: tripcast tasks drop
    """
    from tripcast import tasks as graph

    with warehouse(connection, "RUNS") as session:
        graph.drop(session)
    click.echo(f"{graph.GRAPH} is gone")
