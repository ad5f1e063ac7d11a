"""What the binding of one statement shares: its session's context, its binds, the inputs it gathers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from polynya.catalog.context import Context
from polynya.catalog.model import CatalogObject

if TYPE_CHECKING:
    from polynya.dialect.binds import Binds


@dataclass(slots=True)
class Environment:
    """Shared by all binders of one statement.

    Args:
        context: current names and parameters; a view's query gets a copy with the view's own database and schema.
        execution: what the statement runs with (``statements.base.Execution``), or None where only names and types
            are wanted; hooks for stages, the connection and past results are reached through it.
        binds: values for ``?``, ``:1`` and ``:name``, by position (from 1) or upper-case name.
        inputs: Arrow tables by the relation name under which the SQL reads them; registered before it runs.
        objects: stored objects that the statement reads, in order of first use.
        sequences: ids of the sequences it draws from.
        routine_depth: nesting of views and SQL functions, to stop those that contain themselves.
        describe_only: only the columns are wanted: binds may be missing.
    """

    context: Context
    execution: Any = None
    binds: Binds = field(default_factory=dict)
    inputs: dict[str, pa.Table] = field(default_factory=dict)
    objects: dict[int, CatalogObject] = field(default_factory=dict)
    sequences: set[int] = field(default_factory=set)
    routine_depth: int = 0
    describe_only: bool = False
    _counter: int = 0

    def alias(self) -> str:
        """A DuckDB relation alias that is unique in the statement."""
        self._counter += 1
        return f"_{self._counter}"

    def add_input(self, table: pa.Table) -> str:
        """Makes an Arrow table readable by the statement; answers the relation's (quoted) name."""
        name = f"input_{id(self):x}_{len(self.inputs)}"
        self.inputs[name] = table
        return f'"{name}"'
