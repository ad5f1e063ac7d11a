"""Objects in S3 and stores that speak its protocol, by boto3."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from polynya.errors import SnowflakeError

_CONNECT_SECONDS = 5
_READ_SECONDS = 60
Answer = TypeVar("Answer")


def key(url: str, relative: str) -> str:
    """An object's key: the path of the stage's URL and the path below it."""
    return url.split("/", 3)[3] + relative if url.count("/") >= 3 else relative


def list_objects(url: str, options: dict[str, Any], prefix: str) -> list[tuple[str, int, datetime, str]]:
    """Objects whose key begins with a prefix.

    Args:
        url: ``s3://bucket/...``.
        options: of the stage: CREDENTIALS, ENDPOINT, REGION.
        prefix: of keys.

    Returns:
        (key, bytes, last modified, ETag) each.

    Raises:
        SnowflakeError: if the store cannot be reached or refuses.
    """

    def work() -> list[tuple[str, int, datetime, str]]:
        pages = _client(url, options).get_paginator("list_objects_v2").paginate(Bucket=_bucket(url), Prefix=prefix)
        return [
            (item["Key"], item["Size"], item["LastModified"], item["ETag"].strip('"'))
            for page in pages
            for item in page.get("Contents", ())
            if not item["Key"].endswith("/")
        ]

    return _reported(url, work)


def download(url: str, options: dict[str, Any], object_key: str, target: Path) -> None:
    """Writes an object to a file."""
    _reported(url, lambda: _client(url, options).download_file(_bucket(url), object_key, str(target)))


def upload(url: str, options: dict[str, Any], object_key: str, source: Path) -> None:
    """Writes a file to an object."""
    _reported(url, lambda: _client(url, options).upload_file(str(source), _bucket(url), object_key))


def delete(url: str, options: dict[str, Any], object_keys: list[str]) -> None:
    """Deletes objects."""

    def work() -> None:
        for start in range(0, len(object_keys), 1000):
            objects = [{"Key": name} for name in object_keys[start : start + 1000]]
            _client(url, options).delete_objects(Bucket=_bucket(url), Delete={"Objects": objects, "Quiet": True})

    _reported(url, work)


def _bucket(url: str) -> str:
    return url.split("/")[2]


def _client(url: str, options: dict[str, Any]) -> Any:
    credentials = {name.upper(): str(value) for name, value in (options.get("CREDENTIALS") or {}).items()}
    endpoint = options.get("ENDPOINT")
    if endpoint and "://" not in endpoint:
        endpoint = f"https://{endpoint}"
    return _cached_client(
        credentials.get("AWS_KEY_ID"), credentials.get("AWS_SECRET_KEY"), credentials.get("AWS_TOKEN"),
        endpoint, options.get("REGION"),
    )  # fmt: skip


@lru_cache(maxsize=32)
def _cached_client(
    key_id: str | None, secret: str | None, token: str | None, endpoint: str | None, region: str | None
) -> Any:
    # boto3 takes 0.3 s and 30 MB to import: only who reads from S3 pays for it.
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"max_attempts": 1},
        signature_version=None if key_id else UNSIGNED,
        s3={"addressing_style": "path"} if endpoint else None,
    )
    return boto3.client(
        "s3", aws_access_key_id=key_id, aws_secret_access_key=secret, aws_session_token=token,
        endpoint_url=endpoint, region_name=region or "us-east-1", config=config,
    )  # fmt: skip


def _reported(url: str, work: Callable[[], Answer]) -> Answer:
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return work()
    except (BotoCoreError, ClientError, Boto3Error) as error:
        raise SnowflakeError(
            91003, "58030", f"Failure using stage area. Cause: [{str(error).strip()}] while reading or writing '{url}'."
        ) from error
