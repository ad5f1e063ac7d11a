"""A worker process: loads one handler, then does the tasks that the server sends, one at a time.

Frames from the server have ``do``: load, apply, table, aggregate, call, next (more of a result that comes in parts) or
room (new shared memory for results). Each is answered by one frame: ``ok``, ``part`` (more to come after ``next``),
``room`` (shared memory of that size is needed) or ``error``. Arrow data follow the frame or lie in the slab.
"""

from __future__ import annotations

import contextlib
import pickle
import socket
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from polynya.runtime import channel, fence, frames, narrow, results, sandbox, slab, values  # noqa: F401
from polynya.runtime.handler import LOG_LEVEL, Handler
from polynya.runtime.load import LoadError, load
from polynya.runtime.logs import Logs, exception_attributes
from polynya.runtime.scalar import Scalar
from polynya.runtime.wire import Closed, Wire

_OURS = str(Path(__file__).parent) + "/"
_LONGEST_TEXT = 64 << 10
# Seconds that a worker looks for its next task before it sleeps: waking takes long, on virtual machines above all.
_SPIN = 0.0002

Output = dict[str, Any]


class Worker:
    """The process's main loop.

    Args:
        tasks: carries tasks and their results.
        calls: carries what the handler asks of the server meanwhile, see ``channel``.
    """

    def __init__(self, tasks: socket.socket, calls: socket.socket) -> None:
        self._wire = Wire(tasks, take_fds=True)
        self._channel = channel.Channel(Wire(calls, take_fds=True))
        channel.set_current(self._channel)
        self._logs = Logs(self._channel.log)
        self._input: slab.Slab | None = None
        self._output: slab.Slab | None = None
        self._task: Any = None
        self._memory = 0

    def run(self) -> None:
        """Works until the server closes the socket."""
        self._logs.install()
        sandbox.install()
        with contextlib.suppress(Closed):
            while True:
                self._wire.spin(_SPIN)
                header, body, fds = self._wire.receive()
                self._attach(header, fds)
                self._logs.begin()
                if "environment" in header:
                    sandbox.set_environment(header["environment"])
                    self._logs.set_level(header["environment"].get(LOG_LEVEL, "INFO"))
                try:
                    self._do(header, body)
                except Closed:
                    raise
                except BaseException as error:
                    self._fail(error)

    def _attach(self, header: dict[str, Any], fds: list[int]) -> None:
        if size := header.get("input"):
            self._input = slab.Slab(fds.pop(0), size)
        if size := header.get("output"):
            self._output = slab.Slab(fds.pop(0), size)

    def _do(self, header: dict[str, Any], body: bytearray) -> None:
        match header["do"]:
            case "load":
                self._load(body)
                self._answer({"ok": True})
            case "apply":
                batch = self._batch(header, body)
                made = self._task(batch.columns[: header["columns"]], batch.num_rows)
                self._logs.flush()
                self._send({"ok": True}, pa.RecordBatch.from_arrays([made], ["result"]))
            case "table" | "aggregate" | "call":
                for answer, made in self._run(header, body):
                    self._send(answer, made)

    def _run(self, header: dict[str, Any], body: bytearray) -> Iterator[tuple[Output, pa.RecordBatch | None]]:
        batch = self._batch(header, body)
        yield from self._task.run(header, batch)
        self._logs.flush()

    def _load(self, body: bytearray) -> None:
        handler, policy, imports = pickle.loads(body)
        fence.apply(policy)
        self._memory = policy.memory_bytes
        self._task = self._make(handler, load(handler, imports))

    def _make(self, handler: Handler, loaded: Any) -> Any:
        match handler.kind:
            case "TABLE FUNCTION":
                from polynya.runtime.udtf import TableFunction

                return TableFunction(handler, loaded)
            case "AGGREGATE FUNCTION":
                from polynya.runtime.udaf import AggregateFunction

                return AggregateFunction(handler, loaded)
            case "PROCEDURE":
                from polynya.runtime.procedure import Procedure

                return Procedure(handler, loaded)
        return Scalar(handler, loaded)

    def _batch(self, header: dict[str, Any], body: bytearray) -> pa.RecordBatch:
        if "slab" in header:
            assert self._input is not None
            return slab.read(self._input.view(header["slab"]))
        return slab.read(body)

    def _send(self, answer: Output, batch: pa.RecordBatch | None) -> None:
        """Sends a result and, if more is to come, waits until it is taken."""
        if batch is None:
            self._answer(answer)
            return
        size = slab.space(batch)
        if size <= slab.INLINE:
            self._answer(answer, slab.serialize(batch))
        else:
            if self._output is None or self._output.size < size:
                self._output = None
                self._answer({"room": size})
                self._go_on()
            assert self._output is not None
            self._answer({**answer, "slab": self._output.write(batch)})
        if answer.get("part"):
            self._go_on()

    def _go_on(self) -> None:
        header, _, fds = self._wire.receive()
        self._attach(header, fds)

    def _answer(self, header: Output, body: Any = b"") -> None:
        self._wire.send(header, body)

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, MemoryError):
            error.__traceback__ = None  # lets go of what filled the memory
            text = "".join(traceback.format_exception(error))
            text = f"{text}The handler needed more memory than its limit of {self._memory >> 20} MB."
        elif isinstance(error, results.ResultError | LoadError):
            text = f"{type(error).__name__}: {error}" if isinstance(error, LoadError) else str(error)
        else:
            text = describe(error)
            attributes = exception_attributes(error) | {"exception.stacktrace": text, "exception.escaped": True}
            self._logs.put("", "FATAL", "exception", attributes)
        self._logs.flush()
        text = (
            text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT // 2] + "\n...\n" + text[-_LONGEST_TEXT // 2 :]
        )
        text = text.encode("utf-8", "replace").decode()
        self._answer({"error": text, "memory": isinstance(error, MemoryError)})


def describe(error: BaseException) -> str:
    """A handler's exception with its traceback, without the frames of this package."""
    described = traceback.TracebackException.from_exception(error)
    _trim(described, set())
    return "".join(described.format()).rstrip()


def _trim(described: traceback.TracebackException, seen: set[int]) -> None:
    if id(described) in seen:
        return
    seen.add(id(described))
    described.stack = traceback.StackSummary.from_list(
        [frame for frame in described.stack if not _is_ours(frame.filename)]
    )
    for other in (described.__cause__, described.__context__):
        if other is not None:
            _trim(other, seen)


def _is_ours(filename: str) -> bool:
    return filename.startswith((_OURS, "<frozen importlib"))
