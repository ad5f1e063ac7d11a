"""What a run was made from and what it made, as a Graphviz graph that reads on light and on dark pages."""

from __future__ import annotations

from collections.abc import Sequence

from tripcast.lineage.runs import BACKTEST, CLONE, EVAL, FEATURE, FORECAST, HOLIDAY, PRED, WEATHER, Run

_TABLE = 'fillcolor="#d8e8f7", color="#3b82c4"'
_MODEL = 'fillcolor="#fbe3d2", color="#e07b39"'
# two spaces keep a label off its arrow
_EDGES = (
    ("TRIPS", CLONE, "  clone"),
    ("WEATHER", WEATHER, "  clone"),
    ("HOLIDAYS", HOLIDAY, "  clone"),
    (CLONE, FEATURE, ""),
    (WEATHER, FEATURE, ""),
    (HOLIDAY, FEATURE, ""),
    (FEATURE, "model", "  trained on"),
    (FEATURE, BACKTEST, "  past errors"),
    (FEATURE, FORECAST, "  days to forecast"),
    ("model", PRED, ""),
    (FORECAST, PRED, ""),
    (BACKTEST, PRED, "  intervals"),
    (PRED, "FORECAST table", ""),
)
_PREFIXES = (CLONE, WEATHER, HOLIDAY, FEATURE, FORECAST, BACKTEST, PRED, EVAL)


def run_graph(run: Run, there: Sequence[str], stored: bool) -> str:
    """The graph in DOT.

    Args:
        run: to draw.
        there: names of the tables that it left and that still exist; what came only from others is left out.
        stored: whether its model is in MODEL_STAGE.
    """
    own = {prefix for prefix in _PREFIXES if run.table(prefix) in there}
    if stored:
        own.add("model")
    edges = [edge for edge in _EDGES if _shown(edge[0], own) and _shown(edge[1], own)]
    nodes = list(dict.fromkeys(node for edge in edges for node in edge[:2]))
    if EVAL in own:
        nodes.append(EVAL)
    lines = [
        'digraph { bgcolor="transparent"; rankdir=TB; nodesep=0.25; ranksep=0.35;',
        'node [shape=box, style="filled,rounded", fontname="sans-serif", fontsize=11, fontcolor="#10243a", margin="0.12,0.06"];',
        'edge [color="#8a94a0", fontcolor="#8a94a0", fontname="sans-serif", fontsize=10, arrowsize=0.7];',
    ]
    for node in nodes:
        lines.append(f'"{node}" [label="{_label(node, run)}", {_MODEL if node == "model" else _TABLE}];')
    lines += [f'"{start}" -> "{end}" [label="{text}"];' for start, end, text in edges]
    if EVAL in own:
        earlier = (run.metrics.get("evaluated") or {}).get("model_id")
        if earlier:
            lines.append(f'"earlier" [label="PRED of the run before\\n{_short(str(earlier))}", {_TABLE}];')
            lines.append(f'"earlier" -> "{EVAL}" [label="scored"];')
    return "\n".join([*lines, "}"])


def _shown(node: str, own: set[str]) -> bool:
    """Whether a node is drawn: the run's own if they exist, the project's tables always."""
    return node in own or node not in {*_PREFIXES, "model"}


def _label(node: str, run: Run) -> str:
    if node == "model":
        return f"model {run.model}\\n{_short(run.model_id)}"
    if node == CLONE:
        days = f"{run.data_from} to {run.data_to}" if run.data_from else "trips"
        return f"{CLONE}\\n{days}"
    if node == "FORECAST table":
        return "FORECAST"
    if node == FORECAST:
        return "FORECAST_<id>"
    return node


def _short(model_id: str) -> str:
    return model_id.split("_", 1)[0]
