"""What the binding of one statement shares: its session's context, its binds, the inputs it gathers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from polynya.catalog.access import Reads
from polynya.catalog.context import Context
from polynya.catalog.model import CatalogObject, ColumnDef
from polynya.storage.python_calls import EngineCall, new_handle
from polynya.storage.steps import Inputs, Step

if TYPE_CHECKING:
    from polynya.dialect.binds import Binds
    from polynya.dialect.python_runs import Runner
    from polynya.dialect.time_travel import Moment


@dataclass(slots=True)
class Environment:
    """Shared by all binders of one statement.

    Args:
        context: current names and parameters; a view's query gets a copy with the view's own database and schema.
        execution: what the statement runs with (``statements.base.Execution``), or None where only names and types
            are wanted; hooks for stages, the connection and past results are reached through it.
        binds: values for ``?``, ``:1`` and ``:name``, by position (from 1) or upper-case name.
        inputs: what the SQL reads besides tables, by the name it has there: Arrow tables, calls of Python functions and
            steps; what one reads stands before it.
        objects: stored objects that the statement reads, in order of first use.
        sequences: ids of the sequences it draws from.
        routine_depth: nesting of views and SQL functions, to stop those that contain themselves.
        describe_only: only the columns are wanted: binds may be missing.
        ctes: DuckDB names of common table expressions -> (their SQL, whether they are recursive); None where a step may
            not read it: while a recursive one is being bound, and for random values that are read several times.
        runners: Python routines that it calls, by id.
        moment: as of which tables are read, inside a view that is read with AT or BEFORE; else None.
        reads: the same objects with their columns, apart for what views name.
        policy_target: while a policy's body is bound, what it protects: a table or view, and the masked column.
        publications: imported databases, by the beginning of their names in the engine -> the publication read.
    """

    context: Context
    execution: Any = None
    binds: Binds = field(default_factory=dict)
    inputs: Inputs = field(default_factory=dict)
    objects: dict[int, CatalogObject] = field(default_factory=dict)
    sequences: set[int] = field(default_factory=set)
    routine_depth: int = 0
    describe_only: bool = False
    ctes: dict[str, tuple[str, bool] | None] = field(default_factory=dict)
    runners: dict[int, Runner | None] = field(default_factory=dict)
    moment: Moment | None = None
    reads: Reads = field(default_factory=Reads)
    publications: dict[str, str] = field(default_factory=dict)
    policy_target: tuple[CatalogObject, ColumnDef | None] | None = None
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

    def add_call(self, call: EngineCall) -> str:
        """Makes a Python function callable by the statement; answers the handle that stands for it."""
        handle = new_handle()
        self.inputs[handle] = call
        return handle

    def add_step(self, step: Step) -> str:
        """Makes a step readable by the statement; answers the relation's (quoted) name."""
        name = f"step_{id(self):x}_{len(self.inputs)}"
        self.inputs[name] = step
        return f'"{name}"'

    def limit_step(self, name: str, rows: int) -> None:
        """Lets a step (by its quoted name) end after so many rows."""
        step = self.inputs[name.strip('"')]
        assert isinstance(step, Step)
        self.inputs[name.strip('"')] = replace(step, limit=rows)
