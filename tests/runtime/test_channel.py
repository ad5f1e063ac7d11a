"""What a running handler asks of the server: files, a procedure's HTTP requests."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from polynya.errors import SnowflakeError
from polynya.runtime.handler import Job
from polynya.runtime.pool import Pool
from polynya.types.sqltype import VARCHAR, VARIANT
from tests.runtime.handlers import batch, handler, whole

FILES = "from snowflake.snowpark.files import SnowflakeFile\nimport io\n"


def text_of(pool: Pool, body: str, path: Path, **job: Any) -> Any:
    def open_file(address: str) -> int:
        if address != "@stage/file":
            raise SnowflakeError(2003, "02000", f"File '{address}' does not exist or not authorized.")
        return os.open(path, os.O_RDONLY)

    made = handler(FILES + body, takes=(VARCHAR,), returns=VARCHAR)
    return pool.apply(made, batch((VARCHAR, ["@stage/file"])), Job(open_file=open_file, **job))[0].as_py()


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("file.read()", "ä1\nb2\n"),
        ("file.readline() + '|' + file.readline()", "ä1\n|b2\n"),
        ("str(list(file))", "['ä1\\n', 'b2\\n']"),
        ("str([file.read(1), file.tell(), file.seek(0), file.read(2)])", "['ä', 2, 0, 'ä1']"),
        ("str([file.readable(), file.writable(), file.seekable(), file.closed])", "[True, False, True, False]"),
    ],
)
def test_staged_files_as_text(pool: Pool, tmp_path: Path, expression: str, found: str) -> None:
    path = tmp_path / "file"
    path.write_text("ä1\nb2\n", encoding="utf-8")
    body = f"def f(name):\n    with SnowflakeFile.open(name, require_scoped_url=False) as file:\n        return {expression}"
    assert text_of(pool, body, path) == found


def test_staged_files_as_bytes(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 1000)
    body = """
def f(name):
    with SnowflakeFile.open(name, 'rb') as file:
        target = bytearray(10)
        file.seek(-10, io.SEEK_END)
        file.readinto(target)
        file.seek(0)
        return str([target[0], len(file.read()), io.BufferedReader(SnowflakeFile.open(name, 'rb')).read(2)])
"""
    assert text_of(pool, body, path) == "[246, 256000, b'\\x00\\x01']"


def test_files_that_may_not_be_read(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(SnowflakeError, match="FileNotFoundError: File '@stage/other' does not exist or not authorized"):
        text_of(pool, "def f(name): return SnowflakeFile.open('@stage/other').read()", tmp_path)
    with pytest.raises(SnowflakeError, match="Files cannot be opened here"):
        made = handler(FILES + "def f(x): return SnowflakeFile.open('@s/x').read()")
        pool.apply(made, whole(1), Job())


def test_many_threads_of_a_handler_open_files_and_leave_none_open(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    body = """
from concurrent.futures import ThreadPoolExecutor
def f(name):
    def read(_):
        with SnowflakeFile.open(name) as file:
            return file.read()
    with ThreadPoolExecutor(8) as threads:
        return ''.join(threads.map(read, range(300)))
"""
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    assert text_of(pool, body, path) == "x" * 300
    assert len(os.listdir("/proc/self/fd")) <= before + 4  # noqa: PTH208 - a worker's two sockets


REQUEST = "from polynya.runtime import channel\ndef f(x): return channel.current().request('GET', '/path?q=1', {'A': 'b'}, b'in')"


def test_functions_have_no_door(pool: Pool) -> None:
    with pytest.raises(SnowflakeError, match="Functions have no session"):
        pool.apply(handler(REQUEST, returns=VARIANT), whole(1), Job())


@pytest.fixture
def without_session(monkeypatch: pytest.MonkeyPatch) -> str:
    """Code that lets a procedure run without a client's session, so that the test is the door."""
    return (
        "import polynya.runtime.procedure as p\n"
        "p.open_session, p.close_session = lambda environment: environment, lambda session: None\n"
        "from polynya.runtime import channel\n"
    )


def test_a_procedures_requests_reach_the_door(pool: Pool, without_session: str) -> None:
    body = without_session + (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def one(i): return channel.current().request('POST', f'/path?q={i}', {'A': 'b'}, b'x' * i)\n"
        "def main(session, n):\n"
        "    with ThreadPoolExecutor(8) as threads:\n"
        "        found = list(threads.map(one, range(n)))\n"
        "    return [session, sum(s for s, h, b in found), [len(b) for s, h, b in found] == list(range(n)), found[1][1]]\n"
    )
    seen: list[Any] = []

    def door(method: str, path: str, headers: dict[str, str], content: bytes) -> tuple[int, dict[str, str], bytes]:
        seen.append((method, path, headers, threading.current_thread().name))
        return 200, {"echo": path}, content

    made = handler(body, "main", returns=VARIANT, kind="PROCEDURE")
    found = pool.call(made, whole(100), Job(environment={"USER": "me"}), door)
    assert found.to_pylist() == ['[{"USER":"me"},20000,true,{"echo":"/path?q=1"}]']
    assert {path for _, path, _, _ in seen} == {f"/path?q={i}" for i in range(100)}
    assert seen[0][0] == "POST"
    assert seen[0][2] == {"A": "b"}


def test_big_requests_and_answers(pool: Pool, without_session: str) -> None:
    body = without_session + (
        "def main(session, n):\n    return len(channel.current().request('PUT', '/', {}, bytes(n))[2])"
    )
    made = handler(body, "main", kind="PROCEDURE")
    door = lambda method, path, headers, content: (200, {}, content * 2)  # noqa: E731
    assert pool.call(made, whole(20_000_000), Job(), door).to_pylist() == [40_000_000]


def test_a_procedure_may_wait_for_functions_when_all_places_are_taken(pool: Pool, without_session: str) -> None:
    body = without_session + "def main(session, n): return channel.current().request('GET', '/', {})[0]"
    made = handler(body, "main", kind="PROCEDURE")

    def door(method: str, path: str, headers: dict[str, str], content: bytes) -> tuple[int, dict[str, str], bytes]:
        return int(pool.apply(handler("def f(x): return x + 1"), whole(1), Job())[0].as_py()), {}, b""

    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(pool.call(made, whole(1), Job(), door))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [one.to_pylist() for one in found] == [[2]] * 8


def test_a_door_that_fails_is_an_error_in_the_handler(pool: Pool, without_session: str) -> None:
    body = without_session + (
        "from polynya.errors import SnowflakeError\n"
        "def main(session, n):\n"
        "    try: channel.current().request('GET', '/', {})\n"
        "    except SnowflakeError as error: return error.message"
    )

    def door(*_: Any) -> Any:
        raise ValueError("broken")

    found = pool.call(handler(body, "main", returns=VARCHAR, kind="PROCEDURE"), whole(1), Job(), door)
    assert found.to_pylist() == ["It failed: broken"]


def test_a_text_result_of_a_procedure_may_be_anything(pool: Pool, without_session: str) -> None:
    body = without_session + "def main(session): return [1, None]"
    made = handler(body, "main", (), VARCHAR, kind="PROCEDURE")
    assert pool.call(made, whole(1), Job(), lambda *_: (200, {}, b"")).to_pylist() == ["[1, None]"]
