"""Measures Polynya against the best alternatives and prints the ratios; ends with 1 if a limit is not kept.

Example: python benchmarks/run.py --quick --only clients
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

import clients
import forecasts
import handlers
import idle
import loads
import memory_of_tables
import tabnet
from report import Figure, machine, table

MEASURES: dict[str, Callable[[bool], list[Figure]]] = {
    "idle": idle.measure,
    "clients": clients.measure,
    "handlers": handlers.measure,
    "memory": memory_of_tables.measure,
    "tabnet": tabnet.measure,
    "forecasts": forecasts.measure,
    "real": loads.measure_real,
    "synthetic": loads.measure_synthetic,
}


def main() -> int:
    """Runs what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs, and a tenth of the synthetic trips")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--only", action="append", choices=list(MEASURES), help="measure this alone; may be repeated")
    options = parser.parse_args()
    before = machine()
    figures: list[Figure] = []
    for name in options.only or MEASURES:
        print(f"measuring {name} ...", file=sys.stderr)
        figures += MEASURES[name](options.quick)
    if options.json:
        shown = {"machine": before, "quick": options.quick, "figures": [figure.as_dict() for figure in figures]}
        print(json.dumps(shown, indent=2))
    else:
        print(", ".join(f"{name} {value}" for name, value in before.items()))
        print()
        print(table(figures))
    return 0 if all(figure.kept is not False for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
