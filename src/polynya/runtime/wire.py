"""Frames between the server and its workers: a JSON header, bytes, and file descriptors beside them."""

from __future__ import annotations

import array
import os
import select
import socket
import struct
import time
from typing import Any

import orjson

_LENGTHS = struct.Struct("<IQ")
_READ = 1 << 17
_MAX_HEADER = 8 << 20
_MAX_BODY = 1 << 30
_MAX_FDS = 8


class WireError(Exception):
    """The other side sent what no frame is."""


class Closed(Exception):
    """The other side is gone."""


class Wire:
    """One end of a stream socket that carries frames. Not for several readers, nor several writers, at once.

    Args:
        sock: a connected AF_UNIX stream socket; owned.
        take_fds: whether descriptors that arrive are wanted; the server wants none from its workers.
    """

    def __init__(self, sock: socket.socket, take_fds: bool = False) -> None:
        self._sock = sock
        self._take_fds = take_fds
        # Bytes that are read but not taken lie between start and end.
        self._buffer = bytearray(_READ)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0
        self._fds: list[int] = []
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        self._sock.close()
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()

    def send(self, header: dict[str, Any], body: Any = b"", fds: tuple[int, ...] = ()) -> None:
        """Sends one frame.

        Args:
            header: JSON; the key ``fds`` is the wire's own.
            body: bytes-like.
            fds: descriptors; the sender keeps its own.

        Raises:
            Closed: if the other side is gone.
        """
        if fds:
            header = {**header, "fds": len(fds)}
        text = orjson.dumps(header)
        view = memoryview(body).cast("B")
        head = _LENGTHS.pack(len(text), view.nbytes) + text
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            sent = self._sock.sendmsg([head, view], ancillary)
            if sent < len(head):
                self._sock.sendall(head[sent:])
                sent = len(head)
            if sent < len(head) + view.nbytes:
                self._sock.sendall(view[sent - len(head) :])
        except OSError as error:
            raise Closed from error

    def readable(self) -> bool:
        """Whether something has arrived, or the other side is gone."""
        return self._end > self._start or bool(self._poll.poll(0))

    def spin(self, seconds: float) -> bool:
        """Whether something arrives within so short a time that to sleep would take longer than to look again."""
        until = time.perf_counter() + seconds
        while not self._poll.poll(0):
            if time.perf_counter() > until:
                return False
            os.sched_yield()
        return True

    def pending(self) -> bool:
        """Whether a whole frame, or part of one, is already read."""
        return self._end > self._start

    def receive(self) -> tuple[dict[str, Any], bytearray, list[int]]:
        """Waits for one frame.

        Returns:
            its header, its body (the caller's own) and its descriptors.

        Raises:
            Closed: if the other side is gone.
            WireError: if it sent nonsense.
        """
        while self._end - self._start < _LENGTHS.size:
            self._fill()
        header_size, body_size = _LENGTHS.unpack_from(self._buffer, self._start)
        if header_size > _MAX_HEADER or body_size > _MAX_BODY:
            raise WireError("a frame is too long")
        self._start += _LENGTHS.size
        text, body = self._take(header_size), self._take(body_size)
        try:
            header = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise WireError("a frame's header is no JSON") from error
        if not isinstance(header, dict):
            raise WireError("a frame's header is no object")
        count = header.pop("fds", 0)
        if not self._take_fds or not count:
            return header, body, []
        fds, self._fds = self._fds[:count], self._fds[count:]
        return header, body, fds

    def _take(self, size: int) -> bytearray:
        have = min(self._end - self._start, size)
        taken = bytearray(size)
        taken[:have] = self._view[self._start : self._start + have]
        self._start += have
        if have < size:
            rest = memoryview(taken)[have:]
            while rest.nbytes:
                rest = rest[self._read_into(rest) :]
        return taken

    def _fill(self) -> None:
        if self._start == self._end:
            self._start = self._end = 0
        elif self._end == len(self._buffer):
            left = self._end - self._start
            self._view[:left] = bytes(self._view[self._start : self._end])
            self._start, self._end = 0, left
        self._end += self._read_into(self._view[self._end :])

    def _read_into(self, target: memoryview) -> int:
        try:
            if self._take_fds:
                size, ancillary, _, _ = self._sock.recvmsg_into(
                    [target], socket.CMSG_SPACE(_MAX_FDS * 4), socket.MSG_CMSG_CLOEXEC
                )
                for level, kind, payload in ancillary:
                    if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                        self._fds.extend(array.array("i", payload[: len(payload) // 4 * 4]))
            else:
                size = self._sock.recv_into(target)
        except OSError as error:
            raise Closed from error
        if not size:
            raise Closed
        return size
