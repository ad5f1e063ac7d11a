"""SQL at the command line, through Snowflake's own connector."""

from __future__ import annotations

import json
from typing import Any

import click


def run_sql(connection: dict[str, Any], text: str, as_json: bool) -> bool:
    """Runs statements and prints their results; stops at the first that fails.

    Args:
        connection: parameters for the connector.
        text: one or more statements.
        as_json: print JSON objects, one a row, instead of tables.

    Returns:
        whether all succeeded.
    """
    try:
        import snowflake.connector
        from snowflake.connector.errors import Error
    except ImportError:
        raise click.ClickException("This needs Snowflake's connector: pip install snowflake-connector-python") from None

    try:
        with snowflake.connector.connect(**connection) as client:
            for cursor in client.execute_string(text, remove_comments=False):
                names = [column.name for column in cursor.description or []]
                _print(names, cursor.fetchall(), as_json)
    except Error as error:
        click.echo(str(error.msg or error), err=True)
        return False
    return True


def _print(names: list[str], rows: list[Any], as_json: bool) -> None:
    if as_json:
        for row in rows:
            click.echo(json.dumps(dict(zip(names, row, strict=True)), default=str, ensure_ascii=False))
        return
    cells = [["NULL" if value is None else str(value) for value in row] for row in rows]
    widths = [max([len(name), *(_width(row[i]) for row in cells)]) for i, name in enumerate(names)]
    click.echo(" | ".join(name.ljust(width) for name, width in zip(names, widths, strict=True)).rstrip())
    click.echo("-+-".join("-" * width for width in widths))
    for row in cells:
        click.echo(" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    click.echo(f"{len(rows)} row{'' if len(rows) == 1 else 's'}")


def _width(text: str) -> int:
    return max((len(line) for line in text.splitlines()), default=0)
