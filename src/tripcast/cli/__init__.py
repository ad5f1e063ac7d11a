"""The command line, by groups of commands.

Exit codes: 0 done, 1 it failed (one line says why) or (reproduce) forecasts differ, 2 the command was mistyped, 3 (load) done,
but files or lines were left out, as the report says.
"""

from __future__ import annotations

import click

from tripcast.cli import app, data, demo, models, runs, tasks, weather
from tripcast.cli.common import Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="polynya", prog_name="tripcast")
def main() -> None:
    """Bike-share trips to daily forecasts per station, computed in a warehouse through Snowpark.

    Example: tripcast setup && tripcast load --trips ./trips && tripcast forecast
    """


for _command in (
    data.setup, data.load, data.status, data.synthesize, weather.weather, models.train, models.forecast, models.evaluate,
    models.models, models.explain, runs.month, runs.replay, runs.report, runs.reproduce, runs.forget, demo.demo,
    tasks.tasks, app.app,
):  # fmt: skip
    main.add_command(_command)
