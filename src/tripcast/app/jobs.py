"""Work that goes on while pages are drawn: a thread for each, with what it said and how it ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Say = Callable[[str], object]
RUNNING, DONE, FAILED = "running", "done", "failed"
# what the monthly taskflow says, in order: how far it has come
STAGES = ("load", "features", "train and predict", "evaluate", "flatten")


@dataclass
class Job:
    """One piece of work.

    Args:
        title: what it is.
        started: seconds since the epoch.
        log: what it said, with the seconds since it began.
        state: RUNNING, DONE or FAILED.
        result: what it answered.
        error: why it failed, in words.
        ended: seconds since the epoch.
    """

    title: str
    started: float = field(default_factory=time.time)
    log: list[tuple[float, str]] = field(default_factory=list)
    state: str = RUNNING
    result: Any = None
    error: str | None = None
    ended: float | None = None

    def say(self, text: str) -> None:
        """Adds a line to the log."""
        self.log.append((time.time() - self.started, text))

    @property
    def seconds(self) -> float:
        """How long it has taken so far, or took."""
        return (self.ended or time.time()) - self.started

    @property
    def progress(self) -> float:
        """How far it has come through STAGES, as a share: the middle of the one under way."""
        if self.state == DONE:
            return 1.0
        reached = [STAGES.index(text) for _, text in self.log if text in STAGES]
        return (max(reached) + 0.5) / len(STAGES) if reached else 0.0


class Jobs:
    """The newest piece of work; one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.current: Job | None = None

    def start(self, title: str, work: Callable[[Say], Any]) -> bool:
        """Begins work in a thread; False if other work is still going on.

        Args:
            title: what it is.
            work: given a function that takes a line for the log.
        """
        with self._lock:
            if self.current is not None and self.current.state == RUNNING:
                return False
            self.current = job = Job(title)
        threading.Thread(target=self._carry_out, args=(job, work), name=title, daemon=True).start()
        return True

    def _carry_out(self, job: Job, work: Callable[[Say], Any]) -> None:
        try:
            job.result = work(job.say)
            state = DONE
        except Exception as error:  # whatever it is, the planner must see it
            job.error = " ".join(str(error.args[0] if isinstance(error, KeyError) and error.args else error).split())
            job.error = job.error or type(error).__name__
            state = FAILED
        job.ended = time.time()
        job.state = state
