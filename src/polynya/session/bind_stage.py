"""Binds of a large executemany, which the connector uploads as CSV files instead of sending them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import csv

from polynya.catalog.context import Context
from polynya.dialect.binds import Bind, Binds
from polynya.errors import SnowflakeError

if TYPE_CHECKING:
    from polynya.stages.store import StageStore

_NUMBER = re.compile(r"\d+")
_PARSE = csv.ParseOptions(newlines_in_values=True)


def read_bind_stage(stages: StageStore, location: str, context: Context) -> Binds:
    """Array binds from staged files, all of them text: one row of CSV is one row of binds.

    Args:
        stages: where the files are.
        location: ``@SYSTEMBIND/<folder>``.
        context: of the session that uploaded them.

    Raises:
        SnowflakeError: 002003 if there is no such stage, 100183 if the files are not what the connector writes.
    """
    place = stages.resolve(location, context)
    files = stages.list_files(place)
    # Named after the number of their last row.
    files.sort(key=lambda file: int((_NUMBER.findall(file.relative.rpartition("/")[2]) or ["0"])[0]))
    tables = []
    try:
        for file in files:
            path = stages.local(file, place)
            # Every column is text, however many there are.
            with pa.input_stream(str(path), compression="detect") as stream:
                head = csv.open_csv(stream, csv.ReadOptions(autogenerate_column_names=True), _PARSE)
                names = head.schema.names
            texts = csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            )
            with pa.input_stream(str(path), compression="detect") as stream:
                tables.append(csv.read_csv(stream, csv.ReadOptions(autogenerate_column_names=True), _PARSE, texts))
    except (pa.ArrowInvalid, OSError) as error:
        raise SnowflakeError(100183, "22000", f"The uploaded bind values cannot be read: {error}") from None
    if not tables:
        raise SnowflakeError(100183, "22000", f"There are no bind values at {location}.")
    table = pa.concat_tables(tables)
    return {place: Bind("TEXT", column.to_pylist()) for place, column in enumerate(table.columns, start=1)}
