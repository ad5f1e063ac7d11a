"""Draws docs/images/*.svg from the code: the rooms as pyproject.toml orders them, and the ways through them by function.

A function that a drawing names must exist; so must the order of the rooms. Texts of rooms are their own.

Example: python docs/draw_diagrams.py
"""

from __future__ import annotations

import ast
import textwrap
import tomllib
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
TARGET = ROOT / "docs" / "images"

WIDTH = 760
_FONT = "font-family='system-ui, sans-serif'"
_INK, _PALE, _LINE, _FILL, _WARM = "#1f2937", "#4b5563", "#64748b", "#eef2ff", "#fff7ed"


@dataclass(frozen=True, slots=True)
class Step:
    """A stop on a way through the code.

    Args:
        at: ``package.module:function`` or ``package.module:Class.method``, below ``polynya``; empty for a client's doing.
        text: what happens there.
    """

    at: str
    text: str


STATEMENT = (
    Step("", "A client sends the text, its binds and its session's token."),
    Step("server.queries:query_request", "The request is checked; the statement goes to a thread of its own, so that none waits for another."),
    Step("session.session:Session.run", "Names, parameters and the transaction are the session's; it is written down in the history."),
    Step("statements.dispatch:run", "The first words decide: a query goes on below, any other statement to its handler."),
    Step("dialect.parse:parse", "sqlglot parses the text, once for each text."),
    Step("dialect.query:bind_query", "Names are found in the catalog, every expression gets Snowflake's type; out comes DuckDB's SQL."),
    Step("statements.dispatch:run_query", "Who only asked for the columns has them now, without the engine."),
    Step("storage.connection:Connection.query", "DuckDB runs it on a snapshot of the tables; rows come as Arrow."),
    Step("server.results:reply", "Arrow or JSON as the client wants it, small results with the reply, large ones in chunks."),
)  # fmt: skip
HANDLER = (
    Step("", "SELECT f(x) FROM t, where f is a Python function."),
    Step("dialect.python_calls:call_scalar", "The call becomes one of the engine's, by a handle, of the same types."),
    Step("dialect.python_handlers:handler_of", "Code, packages and imports: the same handler has the same worker."),
    Step("storage.python_calls:call_sql", "The engine calls back with each batch of rows, as Arrow."),
    Step("runtime.pool:Pool.apply", "A free worker that has the handler takes the batch; there are as many as cores."),
    Step("runtime.nursery:Nursery.fork", "If there is none, one is forked from a process in which Python's packages are loaded already."),
    Step("runtime.fence:apply", "Before it loads any code of yours it is fenced: files, system calls, memory."),
    Step("runtime.slab:Slab.write", "Batches go out and come back as Arrow, through shared memory."),
    Step("runtime.scalar:Scalar", "The handler is called for each row, or with pandas for each batch."),
    Step("runtime.process:Process.exchange", "A worker that crashes, spins or takes too much memory ends this statement, and nothing else."),
)  # fmt: skip
CLONE = (
    "statements.clone:clone_of",
    "storage.tables:at_snapshot",
    "statements.clone:own_rows",
    "storage.forks:fork_table",
    "storage.forks:spare_shared_files",
)


def drawings() -> dict[str, str]:
    """Each file's name and content.

    Raises:
        ValueError: a drawing names a function or a room that the code does not have.
    """
    for place in [step.at for way in (STATEMENT, HANDLER) for step in way if step.at] + list(CLONE):
        _check(place)
    return {
        "rooms.svg": _rooms(),
        "statement.svg": _way("The way of a query", STATEMENT),
        "handler.svg": _way("The way of a row through a Python function", HANDLER),
        "clone.svg": _clone(),
    }


# --- what the code says ---


def layers() -> list[list[str]]:
    """The rooms from the door down, those beside each other in one list, as import-linter holds them apart."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (found,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    return [[name.strip() for name in layer.split("|")] for layer in found]


def _module(name: str) -> Path:
    path = SOURCE / name.replace(".", "/")
    for file in (path / "__init__.py", path.with_suffix(".py")):
        if file.is_file():
            return file
    raise ValueError(f"docs/draw_diagrams.py names the module {name}, which does not exist")


def _about(name: str) -> str:
    """The first line of a room's docstring."""
    text = ast.get_docstring(ast.parse(_module(name).read_text()))
    if not text:
        raise ValueError(f"{name} has no docstring")
    return text.splitlines()[0]


def _check(place: str) -> None:
    module, _, names = place.partition(":")
    nodes = ast.parse(_module(f"polynya.{module}").read_text()).body
    for name in names.split("."):
        found = [
            node
            for node in nodes
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name == name
        ]
        if not found:
            raise ValueError(f"docs/draw_diagrams.py names polynya.{place}, which does not exist")
        nodes = found[0].body


# --- drawing ---


def _svg(height: int, title: str, parts: list[str]) -> str:
    return "\n".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' role='img' {_FONT}>",
            f"<title>{escape(title)}</title>",
            "<defs><marker id='tip' viewBox='0 0 10 10' refX='9' refY='5' markerWidth='7' markerHeight='7' orient='auto'>"
            f"<path d='M0 0L10 5L0 10z' fill='{_LINE}'/></marker></defs>",
            f"<rect width='{WIDTH}' height='{height}' rx='8' fill='#ffffff'/>",
            *parts,
            "</svg>",
            "",
        ]
    )


def _box(x: int, y: int, width: int, height: int, fill: str = _FILL, dashed: bool = False) -> str:
    dash = " stroke-dasharray='5 4'" if dashed else ""
    return f"<rect x='{x}' y='{y}' width='{width}' height='{height}' rx='6' fill='{fill}' stroke='{_LINE}'{dash}/>"


def _text(
    x: int,
    y: int,
    text: str,
    size: int = 14,
    *,
    bold: bool = False,
    code: bool = False,
    pale: bool = False,
    anchor: str = "start",
) -> str:
    style = (" font-weight='600'" if bold else "") + (" font-family='ui-monospace, monospace'" if code else "")
    ink = _PALE if pale else _INK
    return f"<text x='{x}' y='{y}' font-size='{size}' fill='{ink}' text-anchor='{anchor}'{style}>{escape(text)}</text>"


def _arrow(x1: int, y1: int, x2: int, y2: int) -> str:
    return f"<path d='M{x1} {y1}L{x2} {y2}' stroke='{_LINE}' stroke-width='1.5' fill='none' marker-end='url(#tip)'/>"


def _rooms() -> str:
    parts = [
        _box(30, 20, 700, 46, _WARM),
        _text(380, 40, "Snowpark · Python connector · SQLAlchemy · snow · Airflow · Streamlit", bold=True, anchor="middle"),
        _text(380, 58, "tripcast, the forecasting system, is one more client: it never imports polynya", 12, pale=True, anchor="middle"),
        _arrow(380, 68, 380, 96), _text(392, 86, "Snowflake's HTTP protocol", 12, pale=True),
    ]  # fmt: skip
    y = 100
    for layer in layers():
        width = (700 - 20 * (len(layer) - 1)) // len(layer)
        lines = [textwrap.wrap(_about(name), 76 if len(layer) == 1 else 46) for name in layer]
        height = 20 + 16 * max(1, *map(len, lines)) + (0 if len(layer) == 1 else 18)
        for number, (name, about) in enumerate(zip(layer, lines, strict=True)):
            x = 30 + number * (width + 20)
            parts += [
                _box(x, y, width, height),
                _text(x + 14, y + 23, name.removeprefix("polynya."), bold=True, code=True),
            ]
            beside = (x + 150, y + 23) if len(layer) == 1 else (x + 14, y + 43)
            parts += [_text(beside[0], beside[1] + 16 * line, text, 13, pale=True) for line, text in enumerate(about)]
        y += height + 8
    parts.append(_text(380, y + 14, "Imports go down, never up: make lint holds it.", 12, pale=True, anchor="middle"))
    return _svg(y + 28, "The rooms of polynya, from the door down", parts)


def _way(title: str, steps: tuple[Step, ...]) -> str:
    parts, y = [], 16
    for number, step in enumerate(steps):
        lines = textwrap.wrap(step.text, 100)
        height = 16 + 18 * (len(lines) + bool(step.at))
        parts.append(_box(30, y, 700, height, _FILL if step.at else _WARM))
        if step.at:
            parts.append(_text(44, y + 21, step.at.replace(":", " · "), 13, bold=True, code=True))
        parts += [_text(44, y + (39 if step.at else 21) + 18 * line, text, 13) for line, text in enumerate(lines)]
        if number + 1 < len(steps):
            parts.append(_arrow(380, y + height, 380, y + height + 18))
        y += height + 20
    return _svg(y, title, parts)


def _clone() -> str:
    """Three moments of TRIPS and its clone: who names which files."""
    moments = (
        ("CREATE TABLE c CLONE trips", "clone_of: one row in the catalog says “trips at snapshot 7”. No bytes.", "at 7", (0, 1), (0, 1)),
        ("INSERT INTO trips …", "trips has one more file; c is still read by at_snapshot.", "at 7", (0, 1, 2), (0, 1)),
        ("INSERT INTO c …", "own_rows, fork_table: c becomes a table that names the same files, and adds its own.", "", (0, 1, 2), (0, 1, 3)),
    )  # fmt: skip
    parts, y = [], 14
    for heading, text, pinned, trips, clone in moments:
        parts += [_text(30, y + 18, heading, bold=True, code=True), _text(30, y + 38, text, 13, pale=True)]
        top = y + 52
        names = [
            ("trips", 30, trips, False),
            ("c" + (f" = trips {pinned}" if pinned else ""), 560, clone, bool(pinned)),
        ]
        for file in sorted({*trips, *clone}):
            parts += [
                _box(300, top + file * 30, 160, 24, "#f1f5f9"),
                _text(380, top + file * 30 + 17, f"{'abcd'[file]}.parquet", 12, code=True, anchor="middle"),
            ]
        for name, x, files, dashed in names:
            parts += [
                _box(x, top + 15, 170, 34, _FILL, dashed),
                _text(x + 85, top + 37, name, 14, bold=True, code=True, anchor="middle"),
            ]
            for file in files:
                start, end = (x + 170, 298) if x < 300 else (x, 462)
                parts.append(_arrow(start, top + 32, end, top + file * 30 + 12))
        y = top + 30 * (max(*trips, *clone) + 1) + 26
    parts.append(
        _text(
            30,
            y + 4,
            "A file goes when nobody names it any more: spare_shared_files keeps those that another table names.",
            13,
            pale=True,
        )
    )
    return _svg(y + 20, "How a clone is stored", parts)


if __name__ == "__main__":
    TARGET.mkdir(exist_ok=True)
    for name, content in drawings().items():
        (TARGET / name).write_text(content)
