"""What the commands share: options, sessions, errors, progress."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

import click

LEFT_OUT = 3
_MONTH = r"20\d\d-(0[1-9]|1[0-2])"
CHAMPION = "champion"


class Failure(click.ClickException):
    """One line on standard error, exit code 1."""


class Commands(click.Group):
    """A group whose commands' errors are one line each."""

    def invoke(self, ctx: click.Context) -> Any:
        from snowflake.connector.errors import Error
        from snowflake.snowpark.exceptions import SnowparkClientException

        from tripcast.connection import NoConnection
        from tripcast.lineage.forget import LoadPending
        from tripcast.lineage.reproduce import CannotReproduce
        from tripcast.pipeline import CannotMix
        from tripcast.sources.archive import Unreachable
        from tripcast.sources.formats import BadFile

        try:
            return super().invoke(ctx)
        except BadFile as error:
            raise Failure(str(error) if error.line is None else f"line {error.line}: {error}") from error
        except KeyError as error:  # whose text would be in quotes
            raise Failure(str(error.args[0] if error.args else error)) from error
        except (
            NoConnection, CannotMix, CannotReproduce, LoadPending, Unreachable, LookupError, ValueError, OSError,
        ) as error:  # fmt: skip
            raise Failure(str(error)) from error
        except (Error, SnowparkClientException) as error:
            raise Failure(f"the warehouse says: {' '.join(str(error).split())}") from error


class Month(click.ParamType):
    """A month, as text."""

    name = "YYYY-MM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch(_MONTH, value):
            self.fail(f"{value!r} is no month: write it as 2020-09", param, ctx)
        return str(value)


class Model(click.ParamType):
    """The name of a model."""

    name = "NAME"

    def __init__(self, or_champion: bool = False) -> None:
        self.or_champion = or_champion

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from tripcast.models import LEARNERS

        if value not in LEARNERS and not (self.or_champion and value == CHAMPION):
            known = ", ".join([*LEARNERS, *([CHAMPION] if self.or_champion else [])])
            self.fail(f"there is no model {value!r}; there are {known}", param, ctx)
        return str(value)


class Day(click.ParamType):
    """A day, as a date."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no day: write it as 2020-09-30", param, ctx)


connection_option = click.option(
    "--connection", metavar="NAME", help="Connection of connections.toml. Default: $TRIPCAST_CONNECTION, else its own."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
h_option = click.option(
    "--h", "h", type=click.IntRange(1, 358), default=30, show_default=True, help="Days to forecast."
)
model_option = click.option(
    "--model",
    type=Model(or_champion=True),
    default=CHAMPION,
    show_default=True,
    help="Which model; the champion is the best of the last backtest, lightgbm if there was none.",
)
seed_option = click.option("--seed", type=int, default=0, show_default=True, help="Of whatever is random.")
folder_type = click.Path(file_okay=False, path_type=Path)


@contextmanager
def warehouse(connection: str | None, need: str | None = None) -> Iterator[Any]:
    """A session in tripcast's database; with ``need``, a failure if that table does not exist."""
    from tripcast import connection as connections
    from tripcast import pipeline

    session = connections.connect(connection)
    try:
        if need and (not connections.use_database(session) or pipeline.needs(session, need)):
            raise Failure(f"there is no {need} yet: {MAKERS.get(need, 'tripcast load')} makes it")
        yield session
    finally:
        close(session)


# table -> the command that makes it, where that is not tripcast load
MAKERS = {
    "LOAD_FILES": "tripcast setup",
    "RUNS": "tripcast setup",
    "FORECAST": "tripcast forecast",
    "FLAT_FORECAST": "tripcast month",
    "EVAL": "tripcast evaluate",
}


def close(session: Any) -> None:
    """Closes a session, come what may."""
    from snowflake.snowpark.exceptions import SnowparkClientException

    with suppress(SnowparkClientException):  # what went wrong before is what matters
        session.close()


def echo_json(value: Any) -> None:
    """Prints a value as one line of JSON."""
    click.echo(json.dumps(value, default=str))


@contextmanager
def files_bar(count: int, quiet: bool = False) -> Iterator[Callable[[str], object]]:
    """A progress bar on standard error over the files that are extracted; none where that is no terminal."""
    from tqdm import tqdm

    with tqdm(total=count, desc="files", unit="file", leave=False, disable=True if quiet else None) as bar:

        def advance(name: str) -> None:
            bar.set_postfix_str(name, refresh=False)
            bar.update()

        yield advance


@contextmanager
def progress(quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Tells on standard error what is being done: one line that changes on a terminal, lines elsewhere."""
    terminal = sys.stderr.isatty()
    start, width = time.perf_counter(), 0

    def say(text: str) -> None:
        nonlocal width
        if quiet:
            return
        line = f"{time.perf_counter() - start:7.1f} s  {text}"
        if terminal:
            click.echo("\r" + line.ljust(width), err=True, nl=False)
            width = len(line)
        else:
            click.echo(line, err=True)

    yield say
    if terminal and width:
        click.echo("\r" + " " * width + "\r", err=True, nl=False)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Prints how long a step took."""
    start = time.perf_counter()
    yield
    click.echo(f"{name:<18}{time.perf_counter() - start:7.1f} s")


def figure(value: float | None, digits: int = 3) -> str:
    """A figure to read; a dash where there is none."""
    return "-" if value is None else format(value, f".{digits}f")


def print_models(models: dict[str, dict[str, Any]], champion: str | None = None) -> None:
    """The comparison table, best model first."""
    columns = ("wape", "mae", "rmse", "mase", "rmsse", "bias", "coverage_80", "coverage_95")
    titles = ("WAPE", "MAE", "RMSE", "MASE", "RMSSE", "bias", "in 80 %", "in 95 %", "usual WAPE")
    click.echo(f"{'model':<18}" + "".join(f"{title:>9}" for title in titles[:-1]) + f"{titles[-1]:>12}")
    for name, figures in sorted(models.items(), key=lambda item: (item[1].get("wape") is None, item[1].get("wape"))):
        usual = figures.get("usual") or {}
        shown = "".join(f"{figure(figures.get(column)):>9}" for column in columns)
        mark = "  champion" if name == champion else ""
        click.echo(f"{name:<18}{shown}{figure(usual.get('wape')):>12}{mark}")
