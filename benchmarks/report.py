"""What was measured, as a table and as JSON, and the machine it was measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    Args:
        name: what was done.
        ours: median, in ``unit``.
        unit: ``ms``, ``s`` or ``MB``.
        peer: the peer's median; None where a limit alone is to be kept.
        against: who the peer is.
        limit: of ours / peer, or of ours where there is no peer; None where it is only told.
        runs: of each.
    """

    name: str
    ours: float
    unit: str
    peer: float | None = None
    against: str = ""
    limit: float | None = None
    runs: int = 1

    @property
    def value(self) -> float:
        """What the limit is about."""
        return self.ours if self.peer is None else self.ours / self.peer

    @property
    def kept(self) -> bool | None:
        return None if self.limit is None else self.value <= self.limit

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "value": round(self.value, 4), "kept": self.kept}


def machine() -> dict[str, Any]:
    """The machine and the versions that count."""
    processor = platform.processor() or platform.machine()
    memory = 0.0
    cpuinfo, meminfo = Path("/proc/cpuinfo"), Path("/proc/meminfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        processor = names[0] if names else processor
    if meminfo.exists():
        memory = int(meminfo.read_text().split()[1]) / (1 << 20)
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": processor,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(memory),
        "load": [round(value, 1) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        **{name: version(name) for name in ("polynya", "duckdb", "snowflake-connector-python")},
    }


def table(figures: list[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = ["| work | Polynya | peer | ratio | limit | kept |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    for figure in figures:
        peer = "" if figure.peer is None else f"{_amount(figure.peer, figure.unit)} {figure.against}"
        ratio = "" if figure.peer is None else f"{figure.value:.2f}"
        limit = "" if figure.limit is None else f"{figure.limit:g}" + (f" {figure.unit}" if figure.peer is None else "")
        kept = {None: "", True: "yes", False: "NO"}[figure.kept]
        lines.append(f"| {figure.name} | {_amount(figure.ours, figure.unit)} | {peer} | {ratio} | {limit} | {kept} |")
    return "\n".join(lines)


def _amount(value: float, unit: str) -> str:
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.2f} {unit}"
