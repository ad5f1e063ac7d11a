"""Whom this warehouse takes shares from: another warehouse's home on this machine, or a folder of Parquet files.

They stand in ``shares.json`` in the home; ``polynya share`` writes it, and a running server reads it again when it changes.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "shares.json"


class BadProviders(Exception):
    """The file cannot be read; its text says what to do."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider.

    Args:
        account: its account's name, upper case: the first part of its shares' names.
        home: of a warehouse, absolute; or "".
        share, folder: the one share that a folder of Parquet files is, and the folder, absolute; or "".
    """

    account: str
    home: str = ""
    share: str = ""
    folder: str = ""

    @property
    def name(self) -> str:
        """How the command line names it: ``ACCOUNT`` or ``ACCOUNT.SHARE``."""
        return f"{self.account}.{self.share}" if self.share else self.account


def read(home: Path) -> list[Provider]:
    """A home's providers.

    Raises:
        BadProviders: if the file is damaged.
    """
    path = home / FILE
    try:
        return [Provider(**item) for item in json.loads(path.read_text())["providers"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadProviders(
            f"{path} cannot be read ({error}): correct it, or delete it and add the shares again."
        ) from None


def write(home: Path, providers: list[Provider]) -> None:
    """Replaces a home's providers, readable by the owner only."""
    path = home / FILE
    unfinished = path.with_suffix(".json.part")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"providers": [asdict(provider) for provider in providers]}, file, indent=2)
    unfinished.replace(path)
