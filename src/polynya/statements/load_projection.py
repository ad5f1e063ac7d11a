"""From the columns of staged files to the columns of a table: what COPY INTO writes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from sqlglot import exp

from polynya.catalog.model import ColumnDef, Table
from polynya.dialect import casts, types
from polynya.dialect.binder import Binder, Scope
from polynya.dialect.environment import Environment
from polynya.dialect.expression import Expr, null, quote_string
from polynya.dialect.scope import Relation, Source, SourceColumn
from polynya.dialect.staged_columns import attribute_name, is_same_without_variant
from polynya.errors import SnowflakeError, compilation_error, invalid_identifier
from polynya.stages import csv, read
from polynya.stages.csv import CsvFile
from polynya.stages.formats import FileFormat
from polynya.stages.rows import Rows
from polynya.stages.store import StageStore
from polynya.statements.base import Execution
from polynya.statements.copy_into import CopyIntoTable, flag
from polynya.statements.dml import assigned, default_value
from polynya.statements.load_errors import Transformation
from polynya.types.sqltype import VARCHAR, VARIANT

_ALIAS = "s"
_SESSION_FORMATS = {
    "DATE_FORMAT": "DATE_INPUT_FORMAT", "TIME_FORMAT": "TIME_INPUT_FORMAT", "TIMESTAMP_FORMAT": "TIMESTAMP_INPUT_FORMAT",
    "BINARY_FORMAT": "BINARY_INPUT_FORMAT",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """What a column of the table is given.

    Args:
        column: of the table.
        value: the expression, of the column's type.
        source: number of the file's column that it is made of, from 1, for error texts.
    """

    column: ColumnDef
    value: Expr
    source: int

    @property
    def attempt(self) -> str:
        """SQL of ``{'v': value}``, NULL where the value fails. TRY refuses ``error()``, save in a lambda."""
        return f"TRY(list_transform([0], lambda _q: {{'v': {self.value.sql}}}))[1]"

    @property
    def fails(self) -> str:
        """SQL of whether the value fails, or is NULL where the column takes none."""
        return f"({self.attempt}) IS NULL" if self.column.nullable else f"({self.attempt}).v IS NULL"


class Projection:
    """The columns of a load.

    Args:
        execution: of the statement.
        table: into which.
        copy: the statement.
        file_format: of the files.
        transformation: the statement's query, or None.

    Raises:
        SnowflakeError: for columns that do not exist or do not fit.
    """

    def __init__(
        self,
        execution: Execution,
        table: Table,
        copy: CopyIntoTable,
        file_format: FileFormat,
        transformation: Transformation | None,
    ) -> None:
        context = execution.context
        overrides = {
            parameter: file_format[option]
            for option, parameter in _SESSION_FORMATS.items()
            if file_format[option] not in (None, "AUTO") and option in file_format.given
        }
        if overrides:
            context = replace(context, parameters={**context.parameters, **overrides})
        self._env = Environment(context, execution)
        self._table = table
        self._copy = copy
        self._format = file_format
        self.transformation = transformation
        by_name = str(copy.options.get("MATCH_BY_COLUMN_NAME", "NONE")).upper()
        if by_name not in ("NONE", "CASE_SENSITIVE", "CASE_INSENSITIVE"):
            raise compilation_error(1420, "22023", f"invalid value [{by_name}] for parameter 'MATCH_BY_COLUMN_NAME'")
        self.by_name = "" if by_name == "NONE" else by_name
        self._metadata = _included_metadata(copy.options.get("INCLUDE_METADATA"))
        if self._metadata and not self.by_name:
            raise compilation_error(
                1420, "22023", "INCLUDE_METADATA can only be used with the MATCH_BY_COLUMN_NAME copy option."
            )
        if self.by_name and transformation is not None:
            raise compilation_error(2140, "0A000", "MATCH_BY_COLUMN_NAME cannot be used with a COPY transformation.")
        if self.by_name and file_format.type == "CSV" and not file_format["PARSE_HEADER"]:
            raise compilation_error(
                2140, "0A000", "Invalid file format: MATCH_BY_COLUMN_NAME for CSV files requires PARSE_HEADER = TRUE."
            )
        if file_format.type == "CSV" and file_format["PARSE_HEADER"] and not self.by_name:
            raise compilation_error(
                2140,
                "0A000",
                'Invalid file format "PARSE_HEADER" is only allowed for CSV INFER_SCHEMA and MATCH_BY_COLUMN_NAME',
            )
        self.chosen = self._chosen_columns()
        self._truncates = flag(copy.options, "TRUNCATECOLUMNS") or not flag(copy.options, "ENFORCE_LENGTH", True)
        if transformation is not None and len(transformation.items) != len(self.chosen):
            raise compilation_error(
                2054, "42601",
                f"Insert value list does not match column list expecting {len(self.chosen)} but got {len(transformation.items)}",
            )  # fmt: skip

    @property
    def inputs(self) -> dict[str, pa.Table]:
        return self._env.inputs

    @property
    def exact(self) -> bool:
        """Whether a record with another number of fields than columns is an error."""
        return (
            self._format.type == "CSV"
            and bool(self._format["ERROR_ON_COLUMN_COUNT_MISMATCH"])
            and self._copy.columns is None
            and self.transformation is None
            and not self.by_name
        )

    @property
    def metadata(self) -> frozenset[str]:
        """The metadata columns that are used."""
        named = self.transformation.metadata if self.transformation is not None else frozenset()
        return named | frozenset(self._metadata.values())

    def width(self, files: list[CsvFile]) -> int:
        """How many columns of CSV files are read."""
        if self.by_name:
            return max((len(csv.first_record(file, self._format, header=True)) for file in files), default=1) or 1
        if self.transformation is not None:
            return max(self.transformation.width, 1)
        return len(self.chosen)

    def check_shape(self) -> None:
        """Raises 002010 if documents would go into several columns, or into one that cannot hold them."""
        if self._format.type == "CSV" or self.by_name or self.transformation is not None:
            return
        if len(self.chosen) != 1 or self.chosen[0].type.name not in ("VARIANT", "OBJECT", "ARRAY"):
            raise compilation_error(
                2010, "42601",
                f"{self._format.type} file format can produce one and only one column of type variant, object, or array. Load data "
                "into separate columns using the MATCH_BY_COLUMN_NAME copy option or copy with transformation.",
            )  # fmt: skip

    def select(self, item: Rows, stages: StageStore, *, only_good: bool = False) -> str:
        """A query that yields all columns of the table for a file's rows.

        Args:
            item: the file.
            stages: where it is.
            only_good: leave out records that cannot be read and rows in which a value fails.
        """
        cells = self.cells(item)
        given = {cell.column.name: cell for cell in cells}
        items = []
        for column in self._table.columns:
            if column.name not in given:
                items.append(self._missing(column).sql)
            elif only_good:
                items.append(f"({given[column.name].attempt}).v")
            else:
                items.append(given[column.name].value.sql)
        where = ""
        if only_good:
            where = f" WHERE NOT ({' OR '.join([f'{_ALIAS}.m_bad', *(cell.fails for cell in cells)])})"
        return f"SELECT {', '.join(items)} FROM {self.relation(item, stages, safe=only_good)} AS {_ALIAS}{where}"

    def relation(self, item: Rows, stages: StageStore, *, safe: bool) -> str:
        """The relation that the cells read, in parentheses.

        Args:
            item: the file.
            stages: where it is.
            safe: records that cannot be read are marked instead of raising an error.
        """
        sql = item.safe if safe else item.sql
        if self.by_name and item.columns:
            sql = item.by_name([name for _, name in self._matches([column.name for column in item.columns])])
        if self.metadata and not item.has_metadata:
            sql = f"SELECT *, {read.metadata(item.staged, stages, self._env.context)} FROM ({sql})"
        return f"({sql})"

    def cells(self, item: Rows) -> list[Cell]:
        """What each column of the table is given from a file; columns that are not among them take their default."""
        if self.transformation is not None:
            return self._transformed(item)
        if self.by_name:
            return self._named(item)
        kind = VARCHAR if self._format.type == "CSV" else VARIANT
        return [
            self._cell(column, Expr(f"{_ALIAS}.c{index}", kind), index) for index, column in enumerate(self.chosen, 1)
        ]

    # --- inside -----------------------------------------------------------------------------------------------------

    def _chosen_columns(self) -> list[ColumnDef]:
        if self._copy.columns is None:
            return list(self._table.columns)
        found = {column.name: column for column in self._table.columns}
        for name in self._copy.columns:
            if name not in found:
                raise invalid_identifier(f"{name}")
        return [found[name] for name in self._copy.columns]

    def _missing(self, column: ColumnDef) -> Expr:
        """The value of a column that files do not give: NULL when matching by name, else its default."""
        if self.by_name and column.autoincrement is None:
            return null(column.type)
        return default_value(self._env, column)

    def _cell(self, column: ColumnDef, value: Expr, source: int) -> Cell:
        if self._truncates and column.type.name == "VARCHAR" and value.type.name == "VARCHAR":
            return Cell(column, casts.cast(value, column.type, self._env.context), source)
        return Cell(column, assigned(value, column, self._env), source)

    def _transformed(self, item: Rows) -> list[Cell]:
        assert self.transformation is not None
        kind = VARCHAR if self._format.type == "CSV" else VARIANT
        count = max(self.transformation.width, 1) if self._format.type == "CSV" else 1
        columns = [SourceColumn(f"${index}", kind, True, f"c{index}") for index in range(1, count + 1)]
        hidden = [SourceColumn(column.name, column.type, column.nullable, column.stored_as) for column in read.METADATA]
        relation = Relation(Source("", columns, hidden), _ALIAS, self.transformation.alias)
        binder = Binder(self._env, Scope(relations=[relation]))
        cells = []
        for column, node in zip(self.chosen, self.transformation.items, strict=True):
            inner = node.this if isinstance(node, exp.Alias) else node
            value = self._named_by_file(inner, column, item) or binder.expression(inner)
            cells.append(self._cell(column, value, self.transformation.source_of(inner)))
        return cells

    def _named_by_file(self, node: exp.Expression, column: ColumnDef, item: Rows) -> Expr | None:
        """``$1:"name"::type`` as the file's column of that name, where that is the same as by way of a VARIANT.

        Clients upload whole tables as Parquet files and load them so.
        """
        context = self._env.context
        target = column.type
        if isinstance(node, exp.Cast) and not isinstance(node, exp.TryCast):
            target = types.from_tree(node.args["to"], context.parameter("TIMESTAMP_TYPE_MAPPING"))
            node = node.this
        name = attribute_name(node)
        for index, own in enumerate(item.columns, 1):
            if own.name == name and is_same_without_variant(own.type, target):
                return casts.cast(Expr(f"{_ALIAS}.n{index}", own.type), target, context)
        return None

    def _named(self, item: Rows) -> list[Cell]:
        cells: list[Cell] = []
        if item.columns:
            kinds = {column.name: column.type for column in item.columns}
            for index, (column, name) in enumerate(self._matches(list(kinds)), 1):
                cells.append(self._cell(column, Expr(f"{_ALIAS}.c{index}", kinds[name]), index))
        elif item.csv is not None:
            header = [name or "" for name in csv.first_record(item.csv, self._format, header=True)]
            for column, name in self._matches(header):
                index = header.index(name) + 1
                cells.append(self._cell(column, Expr(f"{_ALIAS}.c{index}", VARCHAR), index))
        else:
            cells = [
                self._cell(column, self._attribute(column.name), 1)
                for column in self.chosen
                if column.name not in self._metadata
            ]
        stored = {column.name: column for column in read.METADATA}
        for column in self.chosen:
            if column.name in self._metadata:
                source = stored[self._metadata[column.name]]
                cells.append(self._cell(column, Expr(f"{_ALIAS}.{source.stored_as}", source.type), 1))
        return cells

    def _matches(self, names: list[str]) -> list[tuple[ColumnDef, str]]:
        """(column of the table, column of the file) by name."""
        fold = str.upper if self.by_name == "CASE_INSENSITIVE" else str
        found: dict[str, str] = {}
        for name in names:
            if fold(name) in found:
                raise SnowflakeError(
                    100108,
                    "22000",
                    f"Column name '{name}' is in the file more than once, so columns cannot be matched by name.",
                )
            found[fold(name)] = name
        return [
            (column, found[fold(column.name)])
            for column in self.chosen
            if fold(column.name) in found and column.name not in self._metadata
        ]

    def _attribute(self, name: str) -> Expr:
        """An attribute of a JSON document."""
        value, key = f"{_ALIAS}.c1", quote_string(name)
        sql = f"sf_get_key({value}, {key})"
        if self.by_name == "CASE_INSENSITIVE":
            sql = f"coalesce({sql}, list_filter(sf_attributes({value}), lambda a: upper(a.k) = {quote_string(name.upper())})[1].v)"
        if self._format["NULL_IF"]:
            strings = ", ".join(quote_string(text) for text in self._format["NULL_IF"])
            sql = f"list_transform([{sql}], lambda v: CASE WHEN json_extract_string(v, '$') IN ({strings}) THEN NULL ELSE v END)[1]"
        return Expr(sql, VARIANT)


def _included_metadata(option: Any) -> dict[str, str]:
    """INCLUDE_METADATA: column of the table -> name of the metadata column."""
    if not option:
        return {}
    known = {column.name for column in read.METADATA}
    result = {}
    for name, value in dict(option).items():
        wanted = str(value).strip('"').upper()
        if wanted not in known:
            raise compilation_error(1420, "22023", f"invalid value [{value}] for parameter 'INCLUDE_METADATA'")
        result[name] = wanted
    return result
