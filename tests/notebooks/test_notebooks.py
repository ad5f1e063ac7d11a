"""The notebooks, executed in order on one warehouse, with small synthetic data.

They share a kernel, which forgets all names between two: what takes time to import is imported once.
"""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from snowflake.snowpark import Session

from polynya.server.local import Warehouse

pytestmark = pytest.mark.timeout(600)  # a machine may be busy

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
DATABASE = "NOTEBOOKS"
# in place of what the cells tagged "parameters" say, so that all takes a minute
LIGHT: dict[str, dict[str, Any]] = {
    "01_Data_Engineering": {"SYNTHETIC_TRIPS": 9_000, "SYNTHETIC_STATIONS": 3, "SYNTHETIC_MONTHS": ("2019-09", "2021-03")},
    "02_Data_Science": {"EPOCHS": 4},
    "03_ML_Engineering": {
        "TABNET": {"max_epochs": 2},
        "MODELS": ["seasonal_naive", "sarimax"],
        "WINDOWS": 6,  # as many as spare the months a backtest of their own
    },
}  # fmt: skip
# pictures that each shows
PICTURES = {
    "00_Setup": 0,
    "01_Data_Engineering": 1,
    "02_ARIMA_Baseline": 3,
    "02_Data_Science": 2,
    "03_ML_Engineering": 2,
    "04_ML_Ops": 2,
    "05_Airflow_Pipeline": 1,
    "06_Streamlit_App": 0,
}


@pytest.fixture(scope="module")
def executed(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> dict[str, nbformat.NotebookNode]:
    """Each notebook after its run, by name."""
    place = tmp_path_factory.mktemp("notebooks")
    unset = dict.fromkeys(("TRIPS", "AIRFLOW_API_URL", "TRIPCAST_CONNECTION"), "")
    environment = {**os.environ, **unset, **warehouse.environment, "TRIPCAST_DATABASE": DATABASE}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = {}
    kernel = KernelManager(kernel_name="python3")
    kernel.start_kernel(env=environment, cwd=str(place))
    try:
        for path in NOTEBOOKS:
            notebook = nbformat.read(path, as_version=4)
            more = {"PORT": port} if path.stem == "06_Streamlit_App" else {}
            with_parameters(notebook, LIGHT.get(path.stem, {}) | more)
            notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))
            done[path.stem] = NotebookClient(notebook, timeout=300, km=kernel).execute()
    finally:
        kernel.shutdown_kernel(now=True)
    if kept := os.environ.get("POLYNYA_KEEP_NOTEBOOKS"):
        keep(done, place, Path(kept))
    return done


def with_parameters(notebook: nbformat.NotebookNode, values: dict[str, Any]) -> None:
    """Adds a cell with other values after the one tagged "parameters", as papermill does."""
    place = next(number for number, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    text = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(text))


def keep(done: dict[str, nbformat.NotebookNode], place: Path, folder: Path) -> None:
    """Copies executed notebooks and their pictures, to be looked at."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, notebook in done.items():
        nbformat.write(notebook, folder / f"{name}.ipynb")
    for picture in place.glob("out/*.png"):
        (folder / picture.name).write_bytes(picture.read_bytes())


def pictures(notebook: nbformat.NotebookNode) -> list[str]:
    return [
        output.data["image/png"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]


def test_every_notebook_is_known() -> None:
    assert [path.stem for path in NOTEBOOKS] == list(PICTURES)


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in NOTEBOOKS])
def test_a_notebook_says_what_it_teaches_and_what_to_change(path: Path) -> None:
    notebook = json.loads(path.read_text())
    texts = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    assert re.match(rf"# {path.stem[:2]} .+\n\n\*\*Persona\*\*: ", texts[0])
    assert all(f"**{word}**" in texts[0] for word in ("Teaches", "Takes", "Needs"))
    assert texts[-1].startswith("## What to change\n")
    for link in re.findall(r"\]\((\w+\.ipynb)\)", "".join(texts)):
        assert (FOLDER / link).exists()
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code), (
        "outputs do not belong in git"
    )
    assert "polynya" not in "".join("".join(cell["source"]) for cell in code), "it runs on any account"


@pytest.mark.parametrize("name", PICTURES)
def test_a_notebook_runs_and_shows_its_pictures(executed: dict[str, nbformat.NotebookNode], name: str) -> None:
    shown = pictures(executed[name])
    assert len(shown) == PICTURES[name] and all(len(picture) > 10_000 for picture in shown)


def test_what_the_notebooks_leave(executed: dict[str, nbformat.NotebookNode], warehouse: Warehouse) -> None:
    parameters = {**warehouse.connection_parameters, "database": DATABASE, "schema": "PUBLIC"}
    with Session.builder.configs(parameters).create() as session:
        assert session.table("TRIPS").count() == 9_000
        assert session.sql("SELECT COUNT(*), COUNT(FINISHED_AT) FROM RUNS WHERE KIND = 'month'").collect()[0][:] == (
            2,
            2,
        )
        assert session.sql("SELECT COUNT(*) FROM FLAT_EVAL WHERE STATION_ID IS NULL").collect()[0][0] == 1
        session.sql(f"DROP DATABASE {DATABASE}").collect()
