"""Work in the background: log, progress, result, failure, one at a time."""

from __future__ import annotations

import threading
import time

from tripcast.app.jobs import DONE, FAILED, RUNNING, Job, Jobs, Say


def ended(jobs: Jobs) -> Job:
    job = jobs.current
    assert job is not None
    until = time.monotonic() + 10
    while job.state == RUNNING and time.monotonic() < until:
        time.sleep(0.01)
    return job


def test_work_reports_and_ends() -> None:
    jobs, go = Jobs(), threading.Event()

    def work(say: Say) -> int:
        say("load")
        say("train and predict")
        go.wait(10)
        return 7

    assert jobs.start("month", work)
    while len(jobs.current.log) < 2:  # type: ignore[union-attr]
        time.sleep(0.01)
    assert jobs.current is not None and jobs.current.progress == 0.5
    assert not jobs.start("another", work)
    go.set()
    job = ended(jobs)
    assert (job.state, job.result, job.progress) == (DONE, 7, 1.0)
    assert [text for _, text in job.log] == ["load", "train and predict"]


def test_a_failure_is_told_in_words() -> None:
    jobs = Jobs()

    def work(say: Say) -> None:
        raise ValueError("no trip file\nof 2021-03")

    jobs.start("month", work)
    job = ended(jobs)
    assert (job.state, job.error) == (FAILED, "no trip file of 2021-03")
    assert jobs.start("again", lambda say: None)
    assert ended(jobs).state == DONE
