"""SIGUSR1: what the server's threads do."""

from __future__ import annotations

from polynya.server.local import Warehouse
from tests.hangs import report


def test_the_stacks_of_a_running_server(warehouse: Warehouse) -> None:
    found = report(warehouse)
    assert "serve.py" in found
    assert "_suspend_idle" in found  # a thread of its own
