"""Runs a function in a forked, fenced process, as the pool runs handlers, and says what came of it."""

from __future__ import annotations

import ctypes
import os
import pickle
import shutil
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polynya.runtime import fence

NOBODY = 65534
_PR_SET_DUMPABLE = 4


@dataclass
class Place:
    """A server's home with one worker's folders, and a neighbour's.

    Args:
        root: where all of it lies.
        user: as whom the worker runs; None for the user who runs the tests.
    """

    root: Path
    user: int | None
    home: Path = field(init=False)
    temp: Path = field(init=False)
    imports: Path = field(init=False)
    neighbour: Path = field(init=False)
    other: Path = field(init=False)

    def __post_init__(self) -> None:
        self.root.chmod(0o755)
        self.home = self.root / "home"
        self.temp = self.home / "tmp" / "runtime" / "worker-1"
        self.neighbour = self.home / "tmp" / "runtime" / "worker-2"
        self.imports = self.home / "tmp" / "runtime" / "imports"
        self.other = self.root / "somebody"
        for folder in (self.temp, self.neighbour, self.imports, self.home / "data", self.home / "stages", self.other):
            folder.mkdir(parents=True)
        for name in ("catalog.db", "data/t.parquet", "stages/file.csv"):
            (self.home / name).write_text("secret")
        (self.neighbour / "theirs.txt").write_text("secret")
        (self.other / "letter.txt").write_text("secret")
        (self.imports / "model.txt").write_text("a model")
        if self.user is not None:
            for path in [self.root, *self.root.rglob("*")]:
                os.chown(path, self.user, self.user)

    def policy(self, **limits: Any) -> fence.Policy:
        return fence.Policy(temp=self.temp, read=(self.imports,), hide=(self.home,), **limits)

    def run(
        self,
        function: Callable[..., Any],
        *,
        before: Callable[[], Any] = lambda: None,
        fenced: bool = True,
        **limits: Any,
    ) -> Any:
        """What the function returns in a process of its own.

        Args:
            function: runs inside the fence.
            before: runs before the process is fenced; the function gets its result if it takes an argument.
            fenced: False to see what happens without.
            limits: of the policy.

        Raises:
            RuntimeError: it raised an error, or the process died.
        """
        fence.prepare((self.home,))
        receive, send = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(receive)
            try:
                answer = (True, self._child(function, before, fenced, limits))
            except BaseException:
                answer = (False, traceback.format_exc())
            with os.fdopen(send, "wb") as stream:
                stream.write(pickle.dumps(answer))
            os._exit(0)
        os.close(send)
        with os.fdopen(receive, "rb") as stream:
            data = stream.read()
        status = os.waitpid(pid, 0)[1]
        if not data:
            raise RuntimeError(f"the process ended with status {status}")
        good, value = pickle.loads(data)
        if not good:
            raise RuntimeError(value)
        return value

    def _child(
        self, function: Callable[..., Any], before: Callable[[], Any], fenced: bool, limits: dict[str, Any]
    ) -> Any:
        if self.user is not None:
            os.setgroups([])
            os.setgid(self.user)
            os.setuid(self.user)
            # A process that changed its user may not look at its own /proc; one that was started by the user may.
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
        prepared = before()
        if fenced:
            fence.apply(self.policy(**limits))
        return function() if prepared is None else function(prepared)


def new_place(parent: str, user: int | None) -> Place:
    return Place(Path(tempfile.mkdtemp(prefix="fence-", dir=parent)), user)


def remove(place: Place) -> None:
    shutil.rmtree(place.root)
