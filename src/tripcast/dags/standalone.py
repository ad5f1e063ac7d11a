"""``airflow standalone`` for one machine: its own home, the loopback address, a password that is kept; ended cleanly.

Runs in Airflow's environment: ``python -m tripcast.dags.standalone start --home FOLDER``. Airflow's own log lies in the home.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

HOST = "127.0.0.1"
USER = "admin"
DAGS = Path(__file__).parent
_READY_SECONDS = 600.0  # half a minute on two free cores
_LEAVE_SECONDS = 40.0
_PASSWORDS, _PID, _LOG, _ADDRESS = "passwords.json", "standalone.pid", "standalone.log", "api.json"


class CannotStart(Exception):
    """Airflow cannot run; the text says why."""


def password(home: Path) -> str:
    """The password of the user ``admin``; a new one where the home has none yet."""
    file = home / _PASSWORDS
    if not file.is_file():
        home.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(json.dumps({USER: secrets.token_urlsafe(12)}))
    return str(json.loads(file.read_text())[USER])


def environment(home: Path, port: int) -> dict[str, str]:
    """The environment of Airflow's processes.

    Args:
        home: Airflow's.
        port: of its page and REST API.
    """
    address = f"http://{HOST}:{port}"
    settings = {
        "CORE__DAGS_FOLDER": str(DAGS),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "2",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / _PASSWORDS),
        "CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "API__HOST": HOST,
        "API__PORT": str(port),
        "API__BASE_URL": address,
        "LOGGING__WORKER_LOG_SERVER_PORT": str(_free_port()),
        "LOGGING__TRIGGER_LOG_SERVER_PORT": str(_free_port()),
        "DAG_PROCESSOR__PARSING_PROCESSES": "1",
    }
    binaries = str(Path(sys.executable).parent)
    # its processes talk to each other: not through a proxy
    without_proxy = ",".join(filter(None, [os.environ.get("NO_PROXY"), HOST, "localhost"]))
    return {
        **os.environ,
        **{f"AIRFLOW__{name}": value for name, value in settings.items()},
        "AIRFLOW_HOME": str(home),
        "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}",
        "NO_PROXY": without_proxy,
        "no_proxy": without_proxy,
        "PYTHONUNBUFFERED": "1",
    }


def start(home: Path, port: int) -> None:
    """Runs Airflow until it is interrupted.

    Args:
        home: for its database, log and password.
        port: of its page and REST API.

    Raises:
        CannotStart: the port is taken, it runs already, or it does not come up.
    """
    home = home.absolute()
    if running(home) is not None:
        raise CannotStart(f"Airflow runs already, in {home}: make airflow-stop ends it")
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((HOST, port))
        except OSError as error:
            raise CannotStart(f"port {port} is taken: make airflow AIRFLOW_PORT=8081") from error
    word = password(home)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    (home / _PID).write_text(str(os.getpid()))
    with (home / _LOG).open("ab") as log:
        # a group of its own: Ctrl-C reaches this process only, which then ends Airflow in order
        child = subprocess.Popen(
            [str(Path(sys.executable).with_name("airflow")), "standalone"],
            env=environment(home, port), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            _wait_until_ready(child, home, port)
            (home / _ADDRESS).touch(mode=0o600)
            (home / _ADDRESS).write_text(json.dumps({"url": f"http://{HOST}:{port}", "user": USER, "password": word}))
            print(_told(f"http://{HOST}:{port}", word), flush=True)
            child.wait()
            raise CannotStart(f"Airflow ended by itself: {home / _LOG} says why")
        except KeyboardInterrupt:
            print(f"Stopping Airflow; tasks that run have {_LEAVE_SECONDS:.0f} s to end ...", flush=True)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C does not leave half of it behind
            (home / _ADDRESS).unlink(missing_ok=True)
            _end(child)
            (home / _PID).unlink(missing_ok=True)


def _told(address: str, word: str) -> str:
    """What a user needs first: address, user, password, and how to begin."""
    log_in = json.dumps({"username": USER, "password": word})
    answer = "import json, sys; print(json.load(sys.stdin)['access_token'])"
    kind = "-H 'Content-Type: application/json'"
    return f"""Airflow   {address}   user {USER}   password {word}
Begin     TOKEN=$(curl -s {address}/auth/token {kind} -d '{log_in}' | python3 -c "{answer}")
          curl {address}/api/v2/dags/tripcast_setup/dagRuns -H "Authorization: Bearer $TOKEN" {kind} -d '{{"logical_date": null, "conf": {{"last_month": "2020-02"}}}}'
More      docs/airflow.md; Ctrl-C or make airflow-stop stops Airflow"""


def stop(home: Path) -> bool:
    """Ends the Airflow of a home, and waits for that; False if none runs."""
    pid = running(home)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + _LEAVE_SECONDS + 10
    while running(home) is not None and time.monotonic() < until:
        time.sleep(0.1)
    return True


def running(home: Path) -> int | None:
    """The process that runs a home's Airflow; None if there is none."""
    try:
        pid = int((home / _PID).read_text())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid


def exports(home: Path) -> list[str]:
    """Lines for a shell, by which the app finds the Airflow of a home; none if it does not run."""
    if running(home) is None or not (home / _ADDRESS).is_file():
        return []
    known = json.loads((home / _ADDRESS).read_text())
    return [f"export AIRFLOW_API_{key.upper()}={shlex.quote(value)}" for key, value in known.items()]


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _wait_until_ready(child: subprocess.Popen[bytes], home: Path, port: int) -> None:
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until:
        if child.poll() is not None:
            raise CannotStart(f"Airflow ended: {home / _LOG} says why")
        if _healthy(port):
            return
        time.sleep(0.3)
    raise CannotStart(f"Airflow was not ready within {_READY_SECONDS:.0f} s: {home / _LOG} says why")


def _healthy(port: int) -> bool:
    """Whether the API answers, and the scheduler and the reader of DAGs are alive."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{HOST}:{port}/api/v2/monitor/health", timeout=5) as reply:
            parts = json.load(reply)
    except (urllib.error.URLError, OSError, ValueError):
        return False
    return all(parts[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor"))


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends Airflow and what it started: as Ctrl-C does, then harder."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_LEAVE_SECONDS)
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            break
        time.sleep(1.0)
    child.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


def main() -> None:
    """The command line: start, stop, env."""
    parser = argparse.ArgumentParser(prog="tripcast.dags.standalone", description=__doc__)
    parser.add_argument("command", choices=("start", "stop", "env"))
    parser.add_argument("--home", type=Path, required=True, help="Airflow's home.")
    parser.add_argument("--port", type=int, default=8080, help="Of its page and REST API.")
    wanted = parser.parse_args()
    try:
        if wanted.command == "start":
            start(wanted.home, wanted.port)
        elif wanted.command == "stop":
            stop(wanted.home)
        else:
            print("\n".join(exports(wanted.home)))
    except CannotStart as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
