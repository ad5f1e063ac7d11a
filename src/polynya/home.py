"""The home folder: everything one warehouse keeps, and how clients find it.

catalog.sqlite      databases, roles, users ...
connections.toml    the connection ``polynya`` (mode 600), in the form all Snowflake clients read
lake/ ...           tables
stages/             files of internal stages
results/            results of the last 24 hours
tls/                a certificate of its own, if it serves TLS
server.log          what the server has to say
server.json         where the running server listens
server.lock         held by the running server
owner.key           what shows a process of the home's owner to the server (mode 600)
shares.json         whom it takes shares from
shares/             what it publishes for consumers of its shares
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONNECTION_NAME = "polynya"
DEFAULT_ACCOUNT = "POLYNYA"
DEFAULT_PORT = 8585
ADMIN = "ADMIN"
WAREHOUSE = "COMPUTE_WH"
# The connection's lines, up to the next section.
_OWN_SECTION = re.compile(rf"^\[{CONNECTION_NAME}\][^\n]*\n(?:(?!\[)[^\n]*\n)*", re.MULTILINE)


class HomeError(Exception):
    """Something about the home folder, in one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a running server listens."""

    pid: int
    host: str
    port: int
    protocol: str = "http"

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Home:
    """A home folder.

    Args:
        path: absolute.
    """

    path: Path

    @classmethod
    def find(cls, given: str | os.PathLike[str] | None = None) -> Home:
        """The home that is meant: the one given, else POLYNYA_HOME, else ``~/.polynya``."""
        chosen = given or os.environ.get("POLYNYA_HOME") or Path("~/.polynya")
        return cls(Path(chosen).expanduser().absolute())

    @property
    def catalog(self) -> Path:
        return self.path / "catalog.sqlite"

    @property
    def connections(self) -> Path:
        return self.path / "connections.toml"

    @property
    def log(self) -> Path:
        return self.path / "server.log"

    @property
    def lock(self) -> Path:
        return self.path / "server.lock"

    @property
    def tls(self) -> Path:
        return self.path / "tls"

    @property
    def owner_key_file(self) -> Path:
        return self.path / "owner.key"

    @property
    def address_file(self) -> Path:
        return self.path / "server.json"

    @property
    def exists(self) -> bool:
        return self.catalog.exists() and self.connections.exists()

    def require(self) -> None:
        """Raises HomeError if there is no warehouse here."""
        if not self.exists:
            raise HomeError(f"There is no warehouse in {self.path}: make one with `polynya init --home {self.path}`.")

    def connection(self) -> dict[str, Any]:
        """The connection ``polynya`` as connectors take it.

        Raises:
            HomeError: if the file does not hold it.
        """
        self.require()
        try:
            return tomllib.loads(self.connections.read_text())[CONNECTION_NAME]
        except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
            raise HomeError(
                f"{self.connections} cannot be read ({error}): restore it or begin anew with another --home."
            ) from None

    def write_connection(self, values: dict[str, Any]) -> None:
        """Writes the connection ``polynya``, readable by its owner only; other connections in the file stay."""
        lines = [f"[{CONNECTION_NAME}]", *(f"{name} = {json.dumps(value)}" for name, value in values.items())]
        own = "\n".join(lines) + "\n"
        try:
            before = self.connections.read_text()
        except FileNotFoundError:
            before = "# Written by polynya. `polynya env` prints how Snowflake clients find this file.\n"
        text, found = _OWN_SECTION.subn(lambda _: own, before)
        if not found:
            text = before + own
        unfinished = self.connections.with_suffix(".toml.part")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        unfinished.replace(self.connections)

    def address(self) -> Address | None:
        """Where the server said it listens, if it left word; it may be gone."""
        try:
            return Address(**json.loads(self.address_file.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def owner_key(self, *, make: bool = False) -> str:
        """What shows that a request comes from someone who can read the home.

        Args:
            make: makes it if there is none yet; the server does.

        Raises:
            HomeError: if it is not there or not readable.
        """
        if make and not self.owner_key_file.exists():
            unfinished = self.owner_key_file.with_suffix(".part")
            unfinished.unlink(missing_ok=True)
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(32))
            unfinished.replace(self.owner_key_file)
        try:
            return self.owner_key_file.read_text()
        except OSError as error:
            raise HomeError(
                f"{self.owner_key_file} cannot be read ({error.strerror}): run this as the home's owner."
            ) from None

    def environment(self) -> dict[str, str]:
        """The variables by which Snowflake's clients find the connection, and trust its certificate if it has one."""
        variables = {"SNOWFLAKE_HOME": str(self.path), "SNOWFLAKE_DEFAULT_CONNECTION_NAME": CONNECTION_NAME}
        if self.connection().get("protocol") == "https":
            variables["REQUESTS_CA_BUNDLE"] = str(self.tls / "bundle.pem")
            variables["NODE_EXTRA_CA_CERTS"] = str(self.tls / "ca.pem")
        return variables


def create(home: Home, account: str = DEFAULT_ACCOUNT, port: int | None = None) -> None:
    """Makes a warehouse: an account with its administrator, and the connection ``polynya``.

    Args:
        home: where; its folder is made if missing.
        account: the account's name.
        port: for the server; None takes the first free one from 8585.

    Raises:
        HomeError: if there is one already, or the folder holds something else.
    """
    if home.exists:
        raise HomeError(
            f"There is a warehouse in {home.path} already: start it with `polynya start --home {home.path}`."
        )
    try:
        home.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        others = [item.name for item in home.path.iterdir() if ".part" not in item.name]
    except OSError as error:
        raise HomeError(f"{home.path} cannot be made ({error.strerror}): choose another folder with --home.") from None
    if others:
        raise HomeError(f"{home.path} holds other files ({min(others)} ...): choose a new or empty folder with --home.")
    from polynya.catalog.bootstrap import create_account
    from polynya.catalog.store import Catalog
    from polynya.catalog.warehouse_sizes import size_for

    password = secrets.token_urlsafe(24)
    # Under another name until it is whole: an interrupted init can simply be repeated.
    unfinished = home.catalog.with_suffix(".part")
    for leftover in home.path.glob(unfinished.name + "*"):
        leftover.unlink()
    catalog = Catalog.open(unfinished)
    create_account(
        catalog,
        account_name=account,
        admin=ADMIN,
        password=password,
        warehouse=WAREHOUSE,
        warehouse_size=size_for(os.cpu_count() or 1),
    )
    catalog.close()
    unfinished.replace(home.catalog)
    home.write_connection(
        {
            "account": account,
            "user": ADMIN,
            "password": password,
            "host": "127.0.0.1",
            "port": port or free_port(DEFAULT_PORT),
            "protocol": "http",
            "role": "ACCOUNTADMIN",
            "warehouse": WAREHOUSE,
        }
    )


def free_port(first: int) -> int:
    """The first port from here on that nothing listens on."""
    for port in range(first, first + 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return first
