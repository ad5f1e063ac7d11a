"""The commands ``polynya backup``, ``polynya restore`` and ``polynya share``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polynya.backup import Backup, Progress
from polynya.home import Home, HomeError
from polynya.options import Failure, home_option, with_home

if TYPE_CHECKING:
    from polynya.catalog.providers import Provider

_folder = click.Path(file_okay=False, path_type=Path)


@contextmanager
def _bar(label: str) -> Iterator[Progress]:
    """A progress bar on standard error; none where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    with click.progressbar(length=100, label=label, file=sys.stderr) as bar:

        def advance(done: int, total: int) -> None:
            bar.update(done * 100 // max(total, 1) - bar.pos)

        yield advance


@click.command()
@home_option
@click.argument("folder", type=_folder, metavar="DIR")
def backup(home: str | None, folder: Path) -> None:
    """Copies the warehouse to the new or empty folder DIR, as of one moment; the server and all who write go on.

    The copy holds tables with their past, stages, users, grants and the query history; not the results of past queries,
    not temporary tables. It holds the passwords of connections.toml too: only its owner can read it.
    Exit code 1 also if files of the warehouse are missing; the copy is made without them.

    Example: polynya backup ./backup-monday
    """
    from polynya.backup import back_up

    with _bar("copying") as progress:
        made = back_up(Home.find(home), folder, progress)
    click.echo(f"Backed up {_size(made)} to {folder}, as of {made.made_at[:19].replace('T', ' ')} UTC.")
    click.echo(f"Restore it with: polynya restore {folder} --home NEW_DIR")
    if made.missing or made.differ:
        lost = [f"{len(made.missing)} files of the lake ({made.missing[0]} ...)"] if made.missing else []
        lost += [f"tables without rows: {', '.join(made.differ)}"] if made.differ else []
        raise Failure(f"the warehouse is damaged, missing are {'; '.join(lost)}.")


@click.command()
@home_option
@click.argument("folder", type=_folder, metavar="DIR")
def restore(home: str | None, folder: Path) -> None:
    """Makes a warehouse in a new or empty home from the backup in the folder DIR.

    Example: polynya restore ./backup-monday --home ./warehouse2
    """
    from polynya.backup import restore

    place = Home.find(home)
    with _bar("copying") as progress:
        made, port = restore(folder, place, progress)
    click.echo(f"Restored {place.path}, as of {made.made_at[:19].replace('T', ' ')} UTC.")
    if port is not None:
        click.echo(f"Its old port is taken: its connections.toml says {port} now.")
    click.echo(f"Start it with: polynya start{with_home(home)}")


def _size(made: Backup) -> str:
    return f"{made.bytes / 2**20:,.1f} MB in {made.files:,} files"


@click.group()
def share() -> None:
    """Whom this warehouse takes shares from; a running server knows it at once.

    What it gives itself is SQL: CREATE SHARE, GRANT ... TO SHARE, ALTER SHARE ... ADD ACCOUNTS.

    Example: polynya share list
    """


@share.command("add")
@home_option
@click.argument("name")
@click.option(
    "--folder",
    type=_folder,
    metavar="DIR",
    help="The share is this folder: SCHEMA/TABLE.parquet, or SCHEMA/TABLE/*.parquet.",
)
@click.option(
    "--from-home", type=_folder, metavar="DIR", help="Take the shares that this other warehouse gives to this one."
)
def add(home: str | None, name: str, folder: Path | None, from_home: Path | None) -> None:
    """Adds a provider: NAME is ACCOUNT.SHARE for a folder, ACCOUNT for another warehouse on this machine.

    \b
    Example: polynya share add TRIPCAST_DATA.WEATHER --folder ./weather
             polynya share add ACME --from-home ../acme
    """
    from polynya.catalog import providers

    if (folder is None) == (from_home is None):
        raise click.UsageError("Say what it is: --folder DIR or --from-home DIR.")
    place = Home.find(home)
    account = str(place.connection()["account"]).upper()
    provider = _folder_provider(name, folder) if folder is not None else _home_provider(name, from_home or Path())
    if provider.account == account:
        raise Failure(f"{account} is this warehouse's own account: choose another name for the provider.")
    known = _providers(place)
    if any(provider.account == other.account and "" in (provider.share, other.share) for other in known) or any(
        provider.name == other.name for other in known
    ):
        raise Failure(
            f"There is a provider of that name: `polynya share remove {provider.name}{with_home(home)}` first."
        )
    providers.write(place.path, [*known, provider])
    if provider.folder:
        click.echo(f"Added {provider.name}. Use it with: CREATE DATABASE {provider.share} FROM SHARE {provider.name}")
    else:
        click.echo(f"Added {provider.name}. SHOW SHARES lists what it gives.")


def _folder_provider(name: str, folder: Path) -> Provider:
    from polynya.catalog.providers import Provider

    account, _, share_name = name.upper().rpartition(".")
    if not _is_name(share_name) or not _is_name(account or "LOCAL"):
        raise Failure(f"{name!r} is no name of a share: write ACCOUNT.SHARE, letters, digits and underscores.")
    if not folder.is_dir():
        raise Failure(f"There is no folder {folder}.")
    return Provider(account or "LOCAL", share=share_name, folder=str(folder.resolve()))


def _home_provider(name: str, path: Path) -> Provider:
    from polynya.catalog.providers import Provider

    other = Home.find(path)
    account = str(other.connection()["account"]).upper()
    if name.upper() != account:
        raise Failure(f"The account of {other.path} is {account}: `polynya share add {account} --from-home {path}`.")
    return Provider(account, home=str(other.path.resolve()))


def _is_name(text: str) -> bool:
    return text.isidentifier() and text.isascii()


def _providers(place: Home) -> list[Provider]:
    from polynya.catalog import providers

    try:
        return providers.read(place.path)
    except providers.BadProviders as error:
        raise HomeError(str(error)) from None


@share.command("remove")
@home_option
@click.argument("name")
def remove(home: str | None, name: str) -> None:
    """Removes a provider; databases made from its shares can no longer be used.

    Example: polynya share remove TRIPCAST_DATA.WEATHER
    """
    from polynya.catalog import providers

    place = Home.find(home)
    place.require()
    known = _providers(place)
    kept = [provider for provider in known if provider.name != name.upper()]
    if len(kept) == len(known):
        raise Failure(f"There is no provider {name.upper()}: `polynya share list{with_home(home)}` shows them.")
    providers.write(place.path, kept)
    click.echo(f"Removed {name.upper()}.")


@share.command("list")
@home_option
def show(home: str | None) -> None:
    """Lists the providers.

    Example: polynya share list
    """
    place = Home.find(home)
    place.require()
    known = _providers(place)
    for provider in known:
        click.echo(f"{provider.name:<40} {'folder' if provider.folder else 'home'} {provider.folder or provider.home}")
    if not known:
        click.echo("No providers. Example: polynya share add TRIPCAST_DATA.WEATHER --folder ./weather")
