"""A procedure's Snowpark session in its worker: Snowflake's own client, whose requests go over the worker's channel.

``prepare`` is for the process from which workers are forked, ``open_session`` for a worker that runs a procedure.
"""

from __future__ import annotations

import io
import json
import os
import sys
import urllib.parse
import uuid
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from polynya.runtime import channel

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor
    from snowflake.snowpark import Session

# By this platform Snowflake's client knows that it runs in a procedure.
_PLATFORM = "XP"
# The server's name for its own door; see ``server.door``. Every address is asked over the channel, whatever its host.
_HOST = "warehouse.internal"


def prepare() -> None:
    """Loads Snowflake's client as it is in procedures: it knows where it runs, and opens no sockets."""
    os.environ["SNOWFLAKE_DISABLE_PLATFORM_DETECTION"] = "true"
    from snowflake.connector import description

    description.PLATFORM = _PLATFORM  # before Snowpark is loaded, which copies it
    from snowflake.connector import session_manager

    session_manager.ProxySupportAdapterFactory.__call__ = _adapter  # type: ignore[assignment, method-assign]
    import snowflake.snowpark._internal.utils as utils

    utils.PLATFORM = _PLATFORM


def open_session(environment: dict[str, str]) -> Session:
    """The session that a procedure's handler gets; it is also the active one.

    Args:
        environment: ``Job.environment``: the names of the account and the user.
    """
    prepare()
    from snowflake.snowpark import Session

    connection = _connection_class()(
        account=environment.get("ACCOUNT") or "ACCOUNT",
        user=environment.get("USER") or "USER",
        password="-",  # the channel is what lets it in
        host=_HOST,
        port=80,
        protocol="http",
        paramstyle="qmark",
        server_session_keep_alive=True,  # the server ends the session itself: no request at its close
        internal_application_name="PythonSnowpark",
    )
    _provide_cancelling(connection)
    return Session.builder.configs({"connection": connection}).create()


def close_session(session: Session) -> None:
    """Ends the client's side; the server ends its own when the procedure has returned."""
    from snowflake.snowpark.session import _remove_session

    _remove_session(session)
    session.connection.close()


def table_query(result: Any) -> str:
    """Runs what a procedure returns as its table; the query's id, also if it fails.

    Args:
        result: a DataFrame.

    Raises:
        TypeError: for anything else.
    """
    from snowflake.snowpark import DataFrame
    from snowflake.snowpark.exceptions import SnowparkSQLException

    if not isinstance(result, DataFrame):
        raise TypeError(f"a procedure that returns a table must return a DataFrame, not {type(result).__name__}")
    try:
        return str(result.session._conn.get_result_query_id(result._plan))
    except SnowparkSQLException as error:
        if not error.sfqid:
            raise
        return str(error.sfqid)


# --- requests ---------------------------------------------------------------------------------------------------------


def _adapter(_: Any, *arguments: Any, **keywords: Any) -> Any:
    """What Snowflake's connector sends its requests with."""
    from snowflake.connector.vendored.requests.adapters import HTTPAdapter
    from snowflake.connector.vendored.requests.exceptions import ConnectionError as RequestError
    from snowflake.connector.vendored.urllib3.response import HTTPResponse

    class Adapter(HTTPAdapter):
        def send(self, request: Any, stream: bool = False, timeout: Any = None, *rest: Any, **options: Any) -> Any:
            address = urllib.parse.urlsplit(request.url)
            if address.hostname != _HOST:
                raise RequestError(f"a procedure cannot reach {address.hostname}: it has no network", request=request)
            path = address.path + (f"?{address.query}" if address.query else "")
            status, headers, body = channel.current().request(
                request.method, path, dict(request.headers), _bytes(request.body)
            )
            response = HTTPResponse(
                io.BytesIO(body), headers, status, preload_content=False, original_response=None, reason=None
            )
            return self.build_response(request, response)

    return Adapter(*arguments, **keywords)


def _bytes(body: Any) -> bytes:
    """A request's body: none, text, bytes, a file or an iterable of bytes."""
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    return body.read() if hasattr(body, "read") else b"".join(body)


# --- what Snowflake's client expects of a procedure's connection ------------------------------------------------------


def _connection_class() -> type[SnowflakeConnection]:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

    class Cursor(SnowflakeCursor):
        """Files are copied by the usual PUT and GET; in procedures Snowpark calls these methods instead."""

        def upload_stream(self, stream: IO[bytes], target: str) -> None:
            _put(self, Path(target).name, _folder(target), {"auto_compress": False, "overwrite": True}, stream)

        def _upload(self, local_file_name: str, stage_location: str, options: dict[str, Any], *_: Any) -> None:
            _put(self, local_file_name, stage_location, options)

        def _upload_stream(
            self, input_stream: IO[bytes], stage_location: str, options: dict[str, Any], *_: Any
        ) -> None:
            place = stage_location.strip("'")
            _put(self, Path(place).name, _folder(place), options, input_stream)

        def _download(self, stage_location: str, target_directory: str, options: dict[str, Any], *_: Any) -> None:
            folder = target_directory.strip("'").removeprefix("file://")
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.execute(f"GET {_quoted(_at(stage_location))} {_quoted(f'file://{folder}')}{_options(options)}")

        def _download_stream(self, stage_location: str, decompress: bool = False) -> IO[bytes]:
            import gzip
            import tempfile

            place = stage_location.strip("'")
            with tempfile.TemporaryDirectory() as folder:
                self._download(place, folder, {})
                file = (Path(folder) / Path(place).name).open("rb")  # stays readable when the folder is gone
            return gzip.open(file, "rb") if decompress else file  # type: ignore[return-value]

    class Connection(SnowflakeConnection):
        def cursor(self, cursor_class: Any = Cursor) -> Any:
            return super().cursor(cursor_class)

    return Connection


def _put(
    cursor: SnowflakeCursor, local: str, place: str, options: dict[str, Any], stream: IO[bytes] | None = None
) -> None:
    path = local.strip("'").removeprefix("file://")
    source = f"file://{path}" if stream is None else f"file:///tmp/placeholder/{path}"
    command = f"PUT {_quoted(source)} {_quoted(_at(place))}{_options(options)}"
    if stream is None:
        cursor.execute(command)
    else:
        cursor.execute(command, file_stream=stream)


def _at(place: str) -> str:
    place = place.strip("'")
    return place if place.startswith(("@", "snow:")) else f"@{place}"


def _folder(target: str) -> str:
    return target.strip("'").rpartition("/")[0]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _options(options: dict[str, Any]) -> str:
    """PUT's and GET's options as their text has them."""
    texts = []
    for name, value in options.items():
        if name == "pattern":
            value = _quoted(str(value).strip("'"))
        texts.append(f" {name.upper()} = {str(value).upper() if isinstance(value, bool) else value}")
    return "".join(texts)


def _provide_cancelling(connection: SnowflakeConnection) -> None:
    """``_snowflake.cancel_query``, which Snowpark's asynchronous jobs call in procedures."""
    module = sys.modules.get("_snowflake")
    if module is None:
        return

    def cancel_query(query_id: str) -> str:
        address = f"/queries/{uuid.UUID(query_id)}/abort-request?requestId={uuid.uuid4()}"
        assert connection.rest is not None
        return json.dumps(connection.rest.request(address, {}))

    module.cancel_query = cancel_query  # type: ignore[attr-defined]
