"""The command app: the planner's app in a browser."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from tripcast.cli.common import Failure, connection_option


@click.command()
@connection_option
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="To listen on.")
@click.option("--address", default="127.0.0.1", show_default=True, help="To listen on; others may see what it shows.")
@click.option("--browser/--no-browser", default=False, help="Open a browser.")
def app(connection: str | None, port: int, address: str, browser: bool) -> None:
    """Starts the planner's app: forecasts, plans, monitoring, lineage, the next month. Stop it with Ctrl-C.

    Example: tripcast app --port 8501
    """
    if find_spec("streamlit") is None:
        raise Failure("the app needs Streamlit: pip install 'polynya[app]'")
    import tripcast.app
    from tripcast.connection import client_environment

    environment = os.environ | client_environment(connection)
    script = Path(tripcast.app.__file__).with_name("main.py")
    options = {
        "server.port": port,
        "server.address": address,
        "server.headless": str(not browser).lower(),
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "minimal",
        "theme.light.primaryColor": "#2a6db0",
        "theme.dark.primaryColor": "#3a7fc2",
    }
    listed = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "streamlit", "run", str(script), *listed]
    if os.name == "posix":  # in place of this process, so that whoever stops it stops the app
        os.execve(command[0], command, environment)
    raise SystemExit(subprocess.call(command, env=environment))
