from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from polynya.runtime.pool import Pool


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """Two workers at once."""
    folder: Path = tmp_path_factory.mktemp("home") / "runtime"
    running = Pool(folder, 2)
    running.warm()
    yield running
    running.close()
    assert not folder.exists()
