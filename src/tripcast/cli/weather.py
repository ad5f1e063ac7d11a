"""Commands of the weather listing: weather publish, weather load."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tripcast.cli.common import connection_option, echo_json, folder_type, json_option, warehouse


@click.group()
def weather() -> None:
    """Weather of the days of the past, and what is usual on the days to come, as a share.

    Example: tripcast weather publish --file central_park.csv
    """


@weather.command("publish")
@click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="GHCN daily file (CSV).",
)
@click.option("--download", "station", metavar="STATION", help="Fetch this station's file from the public service.")
@click.option(
    "--folder", type=folder_type, default=Path("weather"), show_default=True, help="Where the listing is written."
)
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Last day. Default: a year from today."
)
@json_option
def publish_weather(file: Path | None, station: str | None, folder: Path, until: Any, as_json: bool) -> None:
    """Writes a weather listing, a folder of Parquet files, from the file of one station.

    The file is yours (--file), or the public service's (--download USW00094728 for New York's Central Park).

    Days after the last one of the file are means over its years: they are labelled CLIMATOLOGY. Without a file there is no
    weather; none is invented.

    Example: tripcast weather publish --file ../shared/data/weather/central_park_weather.csv
    """
    from datetime import date

    from tripcast.sources.weather import DATABASE, SHARE, publish
    from tripcast.sources.weather_service import download

    if (file is None) == (station is None):
        raise click.UsageError("Give either --file FILE or --download STATION.")
    if file is None:
        file = download(str(station), folder, date.today())
    made = publish(file, folder, date.today(), until.date() if until else None)
    if as_json:
        echo_json(asdict(made))
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
@connection_option
@click.option("--share", metavar="ACCOUNT.SHARE", help="Take this share. Default: the one that publish names.")
@json_option
def load_weather(connection: str | None, share: str | None, as_json: bool) -> None:
    """Makes the listing's database from its share, and the table WEATHER from the listing.

    Example: tripcast weather load
    """
    from tripcast.features.weather import materialize_weather, take_listing
    from tripcast.sources.weather import SHARE

    with warehouse(connection, "LOAD_FILES") as session:
        take_listing(session, share or SHARE)
        days = materialize_weather(session)
    if as_json:
        echo_json({"days": days})
    else:
        click.echo(f"WEATHER holds {days:,} days.")
