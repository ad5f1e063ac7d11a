"""PACKAGES lists against what is installed."""

from __future__ import annotations

import sys
from importlib import metadata

import pytest

from polynya.catalog.packages import (
    channel_name,
    distribution_of,
    has_package,
    listed_packages,
    resolve_packages,
)
from polynya.errors import SnowflakeError

NUMPY = metadata.version("numpy")
MAJOR = NUMPY.split(".")[0]


@pytest.mark.parametrize(
    "text",
    [
        "numpy", "NumPy", " numpy ", f"numpy=={NUMPY}", f"numpy=={MAJOR}.*", f"numpy={NUMPY}", f"numpy>={MAJOR},<{int(MAJOR) + 1}",
        f"numpy~={MAJOR}.0", "numpy==*", "python", f"python=={sys.version_info[0]}.{sys.version_info[1]}.*",
        "snowflake_connector_python", "snowflake-connector-python[pandas]",
    ],
)  # fmt: skip
def test_found(text: str) -> None:
    assert resolve_packages([text], strict=True).warnings == []


@pytest.mark.parametrize("text", ["numpy==0.1", f"numpy<{MAJOR}", f"numpy!={NUMPY}", "no-such-package", "polynya"])
def test_not_found(text: str) -> None:
    with pytest.raises(SnowflakeError) as caught:
        resolve_packages(["cloudpickle", text], strict=True)
    assert caught.value.code == 391546
    assert f"- {text} (" in caught.value.message
    assert "- cloudpickle" not in caught.value.message


@pytest.mark.parametrize("text", ["", "numpy==", "numpy @ file:///etc", "-r x", "numpy; python_version > '3'", "a b"])
def test_no_requirement(text: str) -> None:
    with pytest.raises(SnowflakeError) as caught:
        resolve_packages([text], strict=True)
    assert caught.value.code == 1003
    assert f"'{text}'" in caught.value.message


def test_another_version_is_taken_if_it_may_be() -> None:
    resolved = resolve_packages(["numpy==0.1", "cloudpickle"], strict=False)
    assert resolved.warnings == [f"numpy {NUMPY} is used in place of numpy==0.1"]
    assert f"numpy=={NUMPY}" in resolved.installed
    with pytest.raises(SnowflakeError, match="no-such-package"):
        resolve_packages(["no-such-package"], strict=False)


def test_what_a_package_needs_is_listed_too() -> None:
    installed = resolve_packages(["pandas"], strict=True).installed
    assert installed == sorted(installed)
    names = [text.partition("==")[0] for text in installed]
    assert {"python", "pandas", "numpy", "python-dateutil", "six"} <= set(names)
    assert "pytest" not in names


@pytest.mark.parametrize(
    ("channel", "distribution"),
    [("pytorch", "torch"), ("torch", "torch"), ("msgpack-python", "msgpack"), ("pytables", "tables"), ("opencv", "opencv-python"), ("scikit-learn", "scikit-learn"), ("typing_extensions", "typing-extensions")],
)  # fmt: skip
def test_names_of_the_channel(channel: str, distribution: str) -> None:
    assert distribution_of(channel) == distribution


def test_listed() -> None:
    packages = dict(listed_packages())
    assert packages["numpy"] == NUMPY
    assert packages["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"typing_extensions", "typing-extensions", "snowflake-connector-python"} <= set(packages)
    assert "polynya" not in packages
    assert channel_name("torch") == "pytorch"
    assert all("+" not in version for version in packages.values())


def test_has_package() -> None:
    assert has_package(["numpy", "Snowflake_Snowpark_Python==1.*"], "snowflake-snowpark-python")
    assert not has_package(["numpy"], "snowflake-snowpark-python")
