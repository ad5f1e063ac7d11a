"""The Python packages that functions and procedures can use: those installed beside the server.

Snowflake takes them from its Anaconda channel, where some have other names than on PyPI.
https://docs.snowflake.com/en/developer-guide/udf/python/udf-python-packages
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from polynya.errors import SnowflakeError, compilation_error

PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
SNOWPARK = "snowflake-snowpark-python"

# PyPI's name -> the channel's, where they differ.
_CHANNEL_NAMES = {
    "faiss-cpu": "faiss",
    "graphviz": "python-graphviz",
    "huggingface-hub": "huggingface_hub",
    "importlib-metadata": "importlib_metadata",
    "kaleido": "python-kaleido",
    "msgpack": "msgpack-python",
    "opencv-python": "opencv",
    "opencv-python-headless": "opencv",
    "tables": "pytables",
    "torch": "pytorch",
    "typing-extensions": "typing_extensions",
}
# Further names of the channel for the same package.
_ALIASES = {
    "matplotlib-base": "matplotlib",
    "py-xgboost": "xgboost",
    "pytorch-cpu": "torch",
    "typing-extensions": "typing-extensions",
}
_DISTRIBUTIONS: dict[str, str] = {}
for _distribution, _channel in _CHANNEL_NAMES.items():
    _DISTRIBUTIONS.setdefault(canonicalize_name(_channel), _distribution)
# Left out of what is installed: the server itself is no package of the channel.
_HIDDEN = {"polynya"}


@dataclass(slots=True)
class Resolved:
    """What a PACKAGES list comes to.

    Args:
        installed: ``name==version`` of the packages and of all they need, in the channel's names, sorted.
        warnings: one text for each package that is not of the version asked for.
    """

    installed: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def listed_packages() -> list[tuple[str, str]]:
    """(name, version) of all packages, by name, as the channel names them."""
    found = {(channel_name(name), version) for name, version in _installed().items() if name not in _HIDDEN}
    found |= {(alias, _installed()[name]) for alias, name in _ALIASES.items() if name in _installed()}
    return sorted(found)


def channel_name(distribution: str) -> str:
    """A distribution's name in the channel: ``pytorch`` for ``torch``."""
    return _CHANNEL_NAMES.get(distribution, distribution)


def resolve_packages(wanted: Iterable[str], *, strict: bool, kind: str = "function") -> Resolved:
    """Finds the packages of a PACKAGES list among those installed.

    Args:
        wanted: ``numpy``, ``pandas==2.*``, ``pytorch>=2,<3`` ...
        strict: whether another version than asked for is an error.
        kind: ``function`` or ``procedure``, for the text.

    Raises:
        SnowflakeError: 391546 with the names of those that are missing or of another version; 001003 for text that is
            no requirement.
    """
    resolved, missing, names = Resolved(), [], ["python"]
    for text in wanted:
        requirement = _parsed(text)
        name = distribution_of(requirement.name)
        version = _installed().get(name)
        if version is None or name in _HIDDEN:
            missing.append(f"{text} (not installed)")
            continue
        names.append(name)
        if requirement.specifier.contains(version, prereleases=True):
            continue
        if strict:
            missing.append(f"{text} (installed: {version})")
        else:
            resolved.warnings.append(f"{channel_name(name)} {version} is used in place of {text}")
    if missing:
        raise _not_found(missing, kind)
    resolved.installed = sorted(f"{channel_name(name)}=={_installed()[name]}" for name in _needed(names))
    return resolved


def distribution_of(package: str) -> str:
    """The distribution of a package of the channel: ``torch`` for ``pytorch``; both names may be used."""
    name: str = canonicalize_name(package)
    name = _ALIASES.get(name, name)
    return name if name in _installed() else _DISTRIBUTIONS.get(name, name)


def has_package(wanted: Iterable[str], name: str) -> bool:
    """Whether a PACKAGES list has a package, of whatever version."""
    return any(canonicalize_name(_parsed(text).name) == name for text in wanted)


def _parsed(text: str) -> Requirement:
    stripped = text.strip().removesuffix("==*")  # any version
    # The channel's own way to write a version has one sign: ``numpy=1.26``.
    for index, character in enumerate(stripped):
        if character in "<>!~=":
            if character == "=" and stripped[index : index + 2] != "==":
                stripped = f"{stripped[:index]}=={stripped[index + 1 :]}"
            break
    try:
        requirement = Requirement(stripped)
        if requirement.url or requirement.marker:
            raise InvalidRequirement
        return requirement
    except InvalidRequirement:
        raise compilation_error(
            1003, "42000", f"invalid package specification '{text}': write a name, or a name and versions "
            "(numpy, pandas==2.*, scikit-learn>=1.4,<2)."
        ) from None  # fmt: skip


def _not_found(missing: list[str], kind: str) -> SnowflakeError:
    lines = "".join(f"\n  - {text}" for text in missing)
    return compilation_error(
        391546, "42601", f"Cannot create a Python {kind} with the specified packages. Please check your packages "
        f"specification and try again. 'Packages not found:{lines}'. Packages are those of the Python in which the "
        "server runs: information_schema.packages lists them.",
    )  # fmt: skip


@cache
def _installed() -> dict[str, str]:
    """Normalized name -> version of each distribution, without what a build adds to it (``+cpu``); Python itself too."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if not name or canonicalize_name(name) in found:  # the first on the path is the one that is imported
            continue
        try:
            found[canonicalize_name(name)] = Version(distribution.version).public
        except InvalidVersion:
            found[canonicalize_name(name)] = distribution.version
    return found


def _needed(names: Iterable[str]) -> set[str]:
    """The packages and all that they need, as far as it is installed."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found or name not in _installed():
            continue
        found.add(name)
        waiting.extend(_requirements(name))
    return found


@cache
def _requirements(name: str) -> tuple[str, ...]:
    return tuple(_read_requirements(name))


def _read_requirements(name: str) -> Iterator[str]:
    if name == "python":
        return
    for text in metadata.requires(name) or ():
        try:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                yield canonicalize_name(requirement.name)
        except (InvalidRequirement, UndefinedEnvironmentName):
            continue
