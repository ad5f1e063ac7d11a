"""The protocol without a driver: requests as bytes."""

from __future__ import annotations

import gzip
import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from polynya.server.local import Warehouse


class Http:
    """Speaks the protocol by hand.

    Args:
        parameters: of the connection, as connectors take them.
    """

    def __init__(self, parameters: dict[str, Any]) -> None:
        self.parameters = parameters
        self.token = ""
        self.master = ""
        self.statuses: list[int] = []

    def call(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """One request; the reply's JSON."""
        raw = b"" if body is None else body if isinstance(body, bytes) else gzip.compress(json.dumps(body).encode())
        headers = {"Content-Type": "application/json", "Accept": "application/snowflake"}
        if raw[:2] == b"\x1f\x8b":
            headers["Content-Encoding"] = "gzip"
        if token or self.token:
            headers["Authorization"] = f'Snowflake Token="{token or self.token}"'
        connection = http.client.HTTPConnection(self.parameters["host"], self.parameters["port"], timeout=60)
        try:
            connection.request(method, path, raw, headers)
            answer = connection.getresponse()
            self.statuses.append(answer.status)
            return json.loads(answer.read())
        finally:
            connection.close()

    def login(self, **data: Any) -> Any:
        """Logs in as the connection's user; ``data`` replaces parts of the request."""
        content = {
            "CLIENT_APP_ID": "PythonConnector",
            "CLIENT_APP_VERSION": "4.8.1",
            "ACCOUNT_NAME": self.parameters["account"],
            "LOGIN_NAME": self.parameters["user"],
            "PASSWORD": self.parameters["password"],
            **data,
        }
        reply = self.call("POST", "/session/v1/login-request", {"data": content})
        if reply["success"]:
            self.token, self.master = reply["data"]["token"], reply["data"]["masterToken"]
        return reply

    def query(self, text: str, request_id: str = "", **body: Any) -> Any:
        """One statement."""
        path = "/queries/v1/query-request?" + urlencode({"requestId": request_id})
        return self.call("POST", path, {"sqlText": text, **body})


@pytest.fixture
def anonymous(warehouse: Warehouse) -> Iterator[Http]:
    """Not logged in. Whatever the test sent, no answer may have been a 5xx."""
    client = Http(warehouse.connection_parameters)
    yield client
    assert not [status for status in client.statuses if status >= 500]


@pytest.fixture
def http_client(anonymous: Http) -> Http:
    """Logged in."""
    assert anonymous.login()["success"]
    return anonymous
