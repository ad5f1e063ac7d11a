"""The module ``_snowflake`` that handlers import.

Source: docs.snowflake.com/en/developer-guide/udf/python/udf-python-batch and .../creating-using-secrets (names, results).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])
# Where Job.environment holds the secrets that the handler was granted, as JSON objects.
SECRET_PREFIX = "secret."
_environment: dict[str, str] = {}


def install() -> None:
    """Puts the module where ``import _snowflake`` finds it."""
    module = ModuleType("_snowflake", "What Snowflake offers to Python handlers.")
    for offered in (
        vectorized,
        udf_init_once,
        get_generic_secret_string,
        get_oauth_access_token,
        get_secret_type,
        get_username_password,
        get_cloud_provider_token,
    ):
        setattr(module, offered.__name__, offered)
    module.__getattr__ = _missing  # type: ignore[method-assign]
    sys.modules["_snowflake"] = module


def set_environment(environment: dict[str, str]) -> None:
    """What the running job may ask for."""
    _environment.clear()
    _environment.update(environment)


def environment() -> dict[str, str]:
    """What the running job may ask for: a copy."""
    return dict(_environment)


def _missing(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    raise AttributeError(f"_snowflake.{name} is not available in this warehouse")


def vectorized(
    input: Any = None, max_batch_size: int | None = None, flatten_object_input: bool = False
) -> Callable[[_F], _F]:
    """Marks a handler that takes batches of rows as a pandas DataFrame."""

    def mark(function: _F) -> _F:
        function._sf_vectorized_input = input  # type: ignore[attr-defined]
        if max_batch_size is not None:
            function._sf_max_batch_size = max_batch_size  # type: ignore[attr-defined]
        if flatten_object_input:
            function._sf_flatten_object_input = True  # type: ignore[attr-defined]
        return function

    return mark


def udf_init_once(function: _F) -> _F:
    """Runs a function without arguments once, before the handler's first call."""
    function()
    return function


def _secret(name: str) -> dict[str, Any]:
    text = _environment.get(SECRET_PREFIX + name) or _environment.get(SECRET_PREFIX + name.upper())
    if text is None:
        raise ValueError(f"The secret {name!r} was not granted to this function: name it in its SECRETS clause.")
    found: dict[str, Any] = json.loads(text)
    return found


def _field(name: str, field: str, kind: str) -> Any:
    secret = _secret(name)
    if field not in secret:
        raise ValueError(f"The secret {name!r} is of type {secret.get('type', 'unknown')}, not {kind}.")
    return secret[field]


def get_generic_secret_string(name: str) -> str:
    return str(_field(name, "secret_string", "GENERIC_STRING"))


def get_oauth_access_token(name: str) -> str:
    return str(_field(name, "access_token", "OAUTH2"))


def get_secret_type(name: str) -> str:
    return str(_secret(name).get("type", ""))


def get_username_password(name: str) -> SimpleNamespace:
    """An object with ``username`` and ``password``."""
    return SimpleNamespace(username=_field(name, "username", "PASSWORD"), password=_field(name, "password", "PASSWORD"))


def get_cloud_provider_token(name: str) -> SimpleNamespace:
    """An object with ``access_key_id``, ``secret_access_key`` and ``token``."""
    return SimpleNamespace(
        **{
            field: _field(name, field, "CLOUD_PROVIDER_TOKEN")
            for field in ("access_key_id", "secret_access_key", "token")
        }
    )
