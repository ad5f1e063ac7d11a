"""What the commands share: the home's option, and failures in one line."""

from __future__ import annotations

import shlex

import click

home_option = click.option(
    "--home", metavar="DIR", help="The warehouse's folder. Default: $POLYNYA_HOME, else ~/.polynya."
)


class Failure(click.ClickException):
    """One line on standard error, exit code 1."""


def with_home(home: str | None) -> str:
    """``--home DIR`` for a line that the user may type, if it was given."""
    return f" --home {shlex.quote(home)}" if home else ""
