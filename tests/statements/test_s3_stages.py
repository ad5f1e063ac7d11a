"""External stages over S3, against a small store of our own that speaks its protocol."""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

Run = Callable[..., list[Any]]


class _Store(BaseHTTPRequestHandler):
    """One bucket: ListObjectsV2, GET, HEAD, PUT, DeleteObjects."""

    objects: dict[str, bytes]

    def _key(self) -> str:
        return unquote(urlparse(self.path).path).removeprefix("/bucket").removeprefix("/")

    def _answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self) -> None:
        query = parse_qs(urlparse(self.path).query)
        if "list-type" in query:
            prefix = query.get("prefix", [""])[0]
            found = "".join(
                f'<Contents><Key>{escape(key)}</Key><Size>{len(data)}</Size><ETag>"{hashlib.md5(data).hexdigest()}"</ETag>'
                f"<LastModified>{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}</LastModified></Contents>"
                for key, data in sorted(self.objects.items())
                if key.startswith(prefix)
            )
            self._answer(f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>".encode())
        elif self._key() in self.objects:
            data = self.objects[self._key()]
            self._answer(data, ETag=f'"{hashlib.md5(data).hexdigest()}"', Last_Modified="Wed, 01 Jan 2025 00:00:00 GMT")
        else:
            self._answer(b"<Error><Code>NoSuchKey</Code></Error>", 404)

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            body = _unchunked(body)
        self.objects[self._key()] = body
        self._answer(b"", ETag='"x"')

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        for element in ElementTree.fromstring(body).iter():
            if element.tag.endswith("Key") and element.text:
                self.objects.pop(element.text, None)
        self._answer(b"<DeleteResult/>")

    def log_message(self, *arguments: Any) -> None:
        """Nothing."""


def _unchunked(body: bytes) -> bytes:
    """The content of a body sent as ``aws-chunked``."""
    content = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if not length:
            break
        content, body = content + body[:length], body[length + 2 :]
    return content


@pytest.fixture
def objects() -> Iterator[tuple[dict[str, bytes], str]]:
    """(the objects of a bucket, the store's address)."""
    kept: dict[str, bytes] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Store", (_Store,), {"objects": kept}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield kept, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_load_list_unload_remove(connection: SnowflakeConnection, objects: tuple[dict[str, bytes], str]) -> None:
    kept, address = objects
    kept |= {"in/x.csv": b"1,one\n2,two\n", "in/sub/y.csv": b"3,three\n", "other.csv": b"9,nine\n"}
    cursor = connection.cursor()

    def run(text: str) -> list[Any]:
        return cursor.execute(text).fetchall()

    run(
        f"CREATE STAGE st URL = 's3compat://bucket/in/' ENDPOINT = '{address}' "
        "CREDENTIALS = (AWS_KEY_ID = 'key' AWS_SECRET_KEY = 'secret')"
    )
    assert [row[0] for row in run("LIST @st")] == ["s3compat://bucket/in/sub/y.csv", "s3compat://bucket/in/x.csv"]
    run("CREATE TABLE t (a INT, b VARCHAR)")
    assert [row[1:4] for row in run("COPY INTO t FROM @st")] == [("LOADED", 1, 1), ("LOADED", 2, 2)]
    assert run("COPY INTO t FROM @st") == [("Copy executed with 0 files processed.",)]
    assert run("SELECT $2, METADATA$FILENAME FROM @st/sub") == [("three", "in/sub/y.csv")]
    run("COPY INTO @st/out FROM t FILE_FORMAT = (COMPRESSION = NONE)")
    assert sorted(kept["in/out_0_0_0.csv"].splitlines()) == [b"1,one", b"2,two", b"3,three"]
    assert run("REMOVE @st/sub") == [("s3compat://bucket/in/sub/y.csv", "removed")]
    assert sorted(kept) == ["in/out_0_0_0.csv", "in/x.csv", "other.csv"]
    described = {row[1]: row[3] for row in run("DESCRIBE STAGE st")}
    assert described["URL"] == '["s3compat://bucket/in/"]' and "secret" not in str(described)


def test_functions_import_from_the_store(
    connection: SnowflakeConnection, objects: tuple[dict[str, bytes], str]
) -> None:
    kept, address = objects
    kept |= {"lib/m.py": b"from package import x\ndef f(): return x\n", "lib/package/__init__.py": b"x = 'first'\n"}
    cursor = connection.cursor()
    cursor.execute(f"CREATE STAGE st URL = 's3compat://bucket/lib/' ENDPOINT = '{address}'")
    cursor.execute(
        f"CREATE FUNCTION f() RETURNS VARCHAR LANGUAGE PYTHON RUNTIME_VERSION = '{sys.version_info[0]}.{sys.version_info[1]}' "
        "IMPORTS = ('@st/m.py', '@st/package/') HANDLER = 'm.f'"
    )
    assert cursor.execute("SELECT f()").fetchall() == [("first",)]
    kept["lib/package/__init__.py"] = b"x = 'second'\n"
    assert cursor.execute("SELECT f()").fetchall() == [("second",)]


def test_a_store_that_is_not_there(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE STAGE st URL = 's3compat://bucket/' ENDPOINT = 'http://127.0.0.1:9'")
    with pytest.raises(ProgrammingError, match="Failure using stage area"):
        cursor.execute("LIST @st")
