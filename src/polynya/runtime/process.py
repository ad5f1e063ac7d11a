"""One worker process as the server sees it: sends tasks, watches limits while it waits, answers its calls."""

from __future__ import annotations

import os
import pickle
import select
import shutil
import signal
import socket
import struct
import tempfile
import time
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from polynya.errors import SnowflakeError
from polynya.runtime import slab
from polynya.runtime.answers import Answers, Door
from polynya.runtime.fence import Policy
from polynya.runtime.handler import Handler, Job
from polynya.runtime.nursery import Nursery
from polynya.runtime.wire import Closed, Wire, WireError

# Seconds between looks at whether the job was cancelled, and at what the worker holds.
_LOOK = 0.05
_LOOK_AT_MEMORY = 0.25
# Seconds that it looks for an answer before it sleeps, see ``worker``.
_SPIN = 0.0002
# Seconds that a handler's code may take to load, whatever the job's limit for a batch.
_LOADING = 120.0
# Seconds without a byte in the middle of a frame.
_STALLED = 20
_SLAB_KEPT = 32 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE")


class WorkerLost(Exception):
    """The process ended, or was ended, while it had a task.

    Args:
        error: what the statement fails with.
    """

    def __init__(self, error: SnowflakeError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass
class Reply:
    """What a worker answered.

    Args:
        header: ok, part or error.
        batch: its data in memory of the server's own, not validated yet.
    """

    header: dict[str, Any]
    batch: pa.RecordBatch | None


def interpreter_error(text: str, handler: Handler) -> SnowflakeError:
    """100357: what a handler's code did wrong."""
    return SnowflakeError(
        100357, "P0000", f"Python Interpreter Error:\n{text}\n in function {handler.name} with handler {handler.entry}"
    )


def cancelled() -> SnowflakeError:
    return SnowflakeError(604, "57014", "SQL execution canceled")


class Process:
    """A worker. Only one thread uses it at a time.

    Args:
        nursery: forks it.
        handler: what it serves.
        folder: of the pool.
        memory_bytes: its limit.
        hide: folders that it must not read.
        threads: run the handler's HTTP requests.
    """

    def __init__(
        self,
        nursery: Nursery,
        handler: Handler,
        folder: Path,
        memory_bytes: int,
        hide: tuple[Path, ...],
        threads: Executor,
    ) -> None:
        self.handler = handler
        self.memory_bytes = memory_bytes
        self.idle_since = 0.0
        self.lost = False
        self.midway = False  # it waits to be asked for more of a result
        self._nursery = nursery
        self._folder = Path(tempfile.mkdtemp(prefix="worker-", dir=folder))
        self._hide = hide
        self._environment: dict[str, str] = {}
        self._input: slab.Slab | None = None
        self._output: slab.Slab | None = None
        tasks, their_tasks = socket.socketpair()
        calls, their_calls = socket.socketpair()
        for ours in (tasks, calls):  # a worker that stops in the middle of a frame must not hold a thread
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                ours.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", _STALLED, 0))
        self._tasks = Wire(tasks)
        self._answers = Answers(Wire(calls), handler, threads)
        self._birth = nursery.fork(their_tasks, their_calls)
        self._poll = select.poll()
        self._poll.register(tasks, select.POLLIN)
        self._poll.register(calls, select.POLLIN)

    @property
    def pid(self) -> int | None:
        return self._birth.pid

    def load(self, job: Job) -> None:
        """Loads the handler's code.

        Raises:
            SnowflakeError: 100357 if it does not load.
            WorkerLost: if the process is gone.
        """
        imports, temp = self._folder / "imports", self._folder / "temp"
        imports.mkdir()
        temp.mkdir()
        for file in self.handler.imports:
            _place(file.path, imports, file.name)
        policy = Policy(temp=temp, read=(imports,), hide=self._hide, memory_bytes=self.memory_bytes)
        body = pickle.dumps((self.handler, policy, imports))
        seconds = max(job.seconds, _LOADING)
        self.exchange({"do": "load"}, None, job, seconds=seconds, body=body)

    def exchange(
        self,
        header: dict[str, Any],
        batch: pa.RecordBatch | None,
        job: Job,
        *,
        seconds: float | None = None,
        spent: float = 0.0,
        door: Door | None = None,
        body: bytes = b"",
    ) -> Reply:
        """Sends a task and waits for its result.

        Args:
            header: of the frame.
            batch: the task's rows.
            job: whose limits hold.
            seconds: limit; the job's if None.
            spent: seconds of it that are used up.
            door: serves HTTP requests of the handler.
            body: instead of rows.

        Raises:
            SnowflakeError: 100357 if the handler failed; the worker is as good as before.
            WorkerLost: the process is gone, or had to be ended.
        """
        self._answers.begin()
        limit = job.seconds if seconds is None else seconds
        if job.environment != self._environment:
            header["environment"] = self._environment = dict(job.environment)
        deadline = time.monotonic() + limit - spent if limit else None
        try:
            self._send(header, batch, body)
            while True:
                reply = self._await(job, deadline, limit, door)
                if "room" not in reply.header:
                    break
                self._make_room(int(reply.header["room"]))
        except (Closed, ConnectionError) as error:
            raise self._lose(self._obituary()) from error
        except (WireError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
            raise self._lose(interpreter_error("The worker process sent what is no result.", self.handler)) from error
        except BaseException:  # whatever it was, nobody waits for the worker's answer any more
            self.end()
            raise
        self.midway = bool(reply.header.get("part"))
        if (failure := reply.header.get("error")) is not None:
            error_found = interpreter_error(str(failure), self.handler)
            if reply.header.get("memory"):  # it may lack the memory to go on
                raise self._lose(error_found)
            raise error_found
        return reply

    def _send(self, header: dict[str, Any], batch: pa.RecordBatch | None, body: bytes) -> None:
        if batch is None:
            self._tasks.send(header, body)
            return
        size = slab.space(batch)
        if size <= slab.INLINE:
            self._tasks.send(header, slab.serialize(batch))
            return
        fds: tuple[int, ...] = ()
        if self._input is None or self._input.size < size:
            fd, size = slab.create(size)
            self._input = slab.Slab(os.dup(fd), size)
            header, fds = {**header, "input": size}, (fd,)
        try:
            self._tasks.send({**header, "slab": self._input.write(batch)}, fds=fds)
        finally:
            for fd in fds:
                os.close(fd)

    def _make_room(self, size: int) -> None:
        if size > self.memory_bytes:
            raise WireError("a result larger than the worker's memory")
        fd, size = slab.create(size)
        try:
            self._output = slab.Slab(os.dup(fd), size)
            self._tasks.send({"do": "room", "output": size}, fds=(fd,))
        finally:
            os.close(fd)

    def _await(self, job: Job, deadline: float | None, limit: float, door: Door | None) -> Reply:
        look = time.monotonic() + _LOOK
        look_at_memory = time.monotonic() + _LOOK_AT_MEMORY
        self._tasks.spin(_SPIN)
        while True:
            ready = [fd for fd, _ in self._poll.poll(_LOOK * 1000)]
            if self._answers.fileno() in ready:
                self._answers.drain(job, door)
            if self._tasks.fileno() in ready:
                header, body, _ = self._tasks.receive()
                self._answers.drain(job, door)
                return Reply(header, self._batch(header, body))
            now = time.monotonic()
            if now < look:
                continue
            look = now + _LOOK
            if job.cancelled():
                raise self._lose(cancelled())
            if deadline is not None and now >= deadline:
                text = f"The handler ran longer than its limit of {limit:g} seconds and was terminated."
                raise self._lose(interpreter_error(text, self.handler))
            if now >= look_at_memory:
                look_at_memory = now + _LOOK_AT_MEMORY
                self._check_memory()

    def _batch(self, header: dict[str, Any], body: bytearray) -> pa.RecordBatch | None:
        if "slab" in header:
            if self._output is None or not 0 <= header["slab"] <= self._output.size:
                raise WireError("no such shared memory")
            return slab.read(self._output.copy(header["slab"]))
        return slab.read(body) if body else None

    def _check_memory(self) -> None:
        if self._birth.pid is None:
            return
        try:
            fields = Path(f"/proc/{self._birth.pid}/statm").read_text().split()
        except OSError:
            return
        # Resident, less what is shared with the zygote's files; forked pages count, so give them some room.
        held = (int(fields[1]) - int(fields[2])) * _PAGE
        if held > self.memory_bytes + (256 << 20):
            raise self._lose(
                interpreter_error(
                    f"The handler needed more memory than its limit of {self.memory_bytes >> 20} MB and was terminated.",
                    self.handler,
                )
            )

    # --- its end --------------------------------------------------------------------------------------------------------

    def trim(self) -> None:
        """Lets go of much shared memory before it idles."""
        if self._input is not None and self._input.size > _SLAB_KEPT:
            self._input = None

    def alive(self) -> bool:
        """Whether it can take a task: its socket would be readable, for an idle worker says nothing, if it had ended."""
        return not self._birth.ended.is_set() and not self._tasks.readable()

    def _obituary(self) -> SnowflakeError:
        self._nursery.kill(self._birth)
        self._birth.ended.wait(5)
        return interpreter_error(
            f"The Python process of the handler {_how_it_ended(self._birth.status)}.", self.handler
        )

    def _lose(self, error: SnowflakeError) -> WorkerLost:
        self.end()
        return WorkerLost(error)

    def end(self) -> None:
        """Ends it and removes what it leaves."""
        if self.lost:
            return
        self.lost = True
        self._nursery.kill(self._birth)
        self._tasks.close()
        self._answers.close()
        self._input = self._output = None
        self._birth.ended.wait(5)
        shutil.rmtree(self._folder, ignore_errors=True)


def _how_it_ended(status: int | None) -> str:
    if status is None:
        return "ended"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = signal.Signals(number).name if number in signal.Signals._value2member_map_ else "unknown"
        return f"was terminated by signal {number} ({name})"
    return f"exited with code {os.WEXITSTATUS(status)}"


def _place(source: Path, folder: Path, name: str) -> None:
    """Puts a file into a handler's import folder; as a link if the file system can, for it may be big."""
    target = folder / name
    if not target.resolve().is_relative_to(folder.resolve()) or target == folder:
        raise SnowflakeError(100357, "P0000", f"An import cannot have the name {name!r}.")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # not written to: it is the other file's content, too
    try:
        target.hardlink_to(source)
    except OSError:
        try:
            shutil.copyfile(source, target)
        except OSError as error:
            raise SnowflakeError(100357, "P0000", f"The import {name} cannot be read: {error.strerror}.") from error
