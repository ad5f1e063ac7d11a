"""The command line: polynya init | start | stop | status | sql | env | share | backup | restore.

Exit codes: 0 done, 1 it failed (one line says why), 2 the command was mistyped, 3 (status) no server runs.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import click

from polynya import __version__
from polynya.home import Address, Home, HomeError
from polynya.keeping import backup, restore, share
from polynya.options import Failure, home_option, with_home

NOT_RUNNING = 3
_STOP_SECONDS = 20.0


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HomeError as error:
            raise Failure(str(error)) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="polynya")
def main() -> None:
    """A warehouse on one machine that Snowflake's unmodified clients connect to.

    Example: polynya init && polynya start && eval "$(polynya env)"
    """


@main.command()
@home_option
@click.option("--account", metavar="NAME", default="POLYNYA", show_default=True, help="The account's name.")
@click.option("--port", type=click.IntRange(1, 65535), help="The server's port. Default: the first free one from 8585.")
def init(home: str | None, account: str, port: int | None) -> None:
    """Makes a warehouse: an account, its administrator with a random password, and a connections.toml.

    Example: polynya init --home ./warehouse
    """
    from polynya.home import create

    place = Home.find(home)
    create(place, account.upper(), port)
    connection = place.connection()
    click.echo(
        f"Made the warehouse {place.path} with the user {connection['user']}; its password is in connections.toml."
    )
    click.echo(f"Start it with: polynya start{with_home(home)}")


@main.command()
@home_option
@click.option("--host", metavar="ADDRESS", help="Listen on this address instead of this machine's loopback.")
@click.option("--port", type=click.IntRange(0, 65535), help="Listen on this port; 0 takes any free one.")
@click.option("--tls/--no-tls", default=None, help="Serve HTTPS with a certificate of its own. Default: as last time.")
@click.option("--cores", type=click.IntRange(1, 1024), help="Use so many cores at most. Default: the machine's.")
@click.option("--foreground", is_flag=True, help="Stay in the terminal and log to it.")
@click.option("--times", hidden=True, help="JSON object of server.times.Times; for tests.")
def start(
    home: str | None,
    host: str | None,
    port: int | None,
    tls: bool | None,
    cores: int | None,
    foreground: bool,
    times: str | None,
) -> None:
    """Starts the server and waits until it answers.

    Example: polynya start --port 8600
    """
    place = Home.find(home)
    place.require()
    if foreground:
        from polynya.server.serve import configure_logging, serve
        from polynya.server.times import Times

        configure_logging()
        serve(place, host, port, tls, Times(**json.loads(times)) if times else None, cores)
        return
    running = _running(place)
    if running is not None:
        click.echo(f"The server is running already at {running.url} (process {running.pid}).")
        return
    from polynya.server.local import launch

    launch(place, host, port, tls, cores=cores)
    address = place.address()
    assert address is not None
    click.echo(f"The server is ready at {address.url} (process {address.pid}).")


@main.command()
@home_option
def stop(home: str | None) -> None:
    """Stops the server; all data stays.

    Example: polynya stop
    """
    place = Home.find(home)
    place.require()
    running = _running(place)
    if running is None:
        click.echo("No server runs.")
        return
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while _locked(place) and time.monotonic() < deadline:
        time.sleep(0.05)
    if _locked(place):
        raise Failure(f"Process {running.pid} has not ended within {_STOP_SECONDS:.0f} s: `kill -9 {running.pid}`.")
    click.echo("The server has stopped.")


@main.command()
@home_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def status(home: str | None, as_json: bool) -> None:
    """Says whether the server runs, and where. Exit code 0 if it does, 3 if not.

    Example: polynya status --json
    """
    place = Home.find(home)
    answer: dict[str, Any] = {"home": str(place.path), "initialized": place.exists, "running": False}
    running = _running(place) if place.exists else None
    if running is not None:
        answer.update(running=True, pid=running.pid, host=running.host, port=running.port, url=running.url)
        answer.update(_ask(place, running))
        answer["memory_mb"] = _memory(running.pid)
    if as_json:
        click.echo(json.dumps(answer))
    elif running is not None:
        click.echo(
            f"running at {running.url}, process {running.pid}, {answer.get('sessions', '?')} sessions, home {place.path}"
        )
    elif place.exists:
        click.echo(f"not running, home {place.path}: start it with `polynya start{with_home(home)}`")
    else:
        click.echo(f"no warehouse in {place.path}: make one with `polynya init{with_home(home)}`")
    sys.exit(0 if running is not None else NOT_RUNNING)


@main.command()
@home_option
@click.argument("statements", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print rows as JSON objects, one a line.")
def sql(home: str | None, statements: tuple[str, ...], as_json: bool) -> None:
    """Runs SQL as the connection's user and prints the results; without STATEMENTS reads standard input.

    Example: polynya sql "SELECT CURRENT_VERSION()"
    """
    place = Home.find(home)
    connection = place.connection()
    if _running(place) is None:
        raise Failure(f"No server runs for {place.path}: start it with `polynya start{with_home(home)}`.")
    text = ";\n".join(statements) if statements else sys.stdin.read()
    if not text.strip():
        raise click.UsageError('Give a statement, e.g. polynya sql "SELECT 1".')
    os.environ.update(place.environment())  # its certificate, if it has one
    from polynya.server.terminal import run_sql

    if not run_sql(connection, text, as_json):
        sys.exit(1)


@main.command()
@home_option
def env(home: str | None) -> None:
    """Prints the exports with which every Snowflake client finds the connection ``polynya``.

    Example: eval "$(polynya env)"
    """
    place = Home.find(home)
    place.require()
    # A client would take connections from these variables before it reads the file.
    for name in ("SNOWFLAKE_CONNECTIONS",):
        if name in os.environ:
            click.echo(f"unset {name}")
    for name, value in place.environment().items():
        click.echo(f"export {name}={shlex.quote(value)}")


for _command in (backup, restore, share):
    main.add_command(_command)


def _locked(home: Home) -> bool:
    """Whether a server holds the home's lock: it is freed even when the process was killed."""
    from filelock import FileLock, Timeout

    lock = FileLock(home.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _running(home: Home) -> Address | None:
    """The running server's address, or None."""
    if not _locked(home):
        return None
    deadline = time.monotonic() + 10
    while True:  # it holds the lock before it can say where it listens
        address = home.address()
        if address is not None:
            return address
        if time.monotonic() > deadline or not _locked(home):
            return None
        time.sleep(0.05)


def _ask(home: Home, address: Address) -> dict[str, Any]:
    """What the server says of itself."""
    trusted = ssl.create_default_context(cafile=home.tls / "ca.pem") if address.protocol == "https" else None
    try:
        with urllib.request.urlopen(f"{address.url}/polynya/status", timeout=5, context=trusted) as answer:
            return json.load(answer)
    except (urllib.error.URLError, OSError, ValueError):
        return {"answers": False}


def _memory(pid: int) -> float | None:
    """Resident memory of a process in MB, where /proc says it."""
    try:
        words = Path(f"/proc/{pid}/statm").read_text().split()
        return round(int(words[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)
    except (OSError, ValueError):
        return None
