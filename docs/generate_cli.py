"""Writes docs/cli.md, the reference of both command lines, from their own help.

Example: python docs/generate_cli.py
"""

from __future__ import annotations

from pathlib import Path

import click

import polynya.cli
import tripcast.cli

TARGET = Path(__file__).with_name("cli.md")


def reference() -> str:
    """The page's text."""
    parts = ["# Command lines\n\nWritten by `docs/generate_cli.py` from the commands' help.\n"]
    for name, group in (("polynya", polynya.cli.main), ("tripcast", tripcast.cli.main)):
        parts.append(_section(name, group, None))
        top = click.Context(group, info_name=name, **group.context_settings)
        parts += [_section(f"{name} {key}", group.commands[key], top) for key in sorted(group.commands)]
    return "\n".join(parts)


def _section(title: str, command: click.Command, parent: click.Context | None) -> str:
    settings = {**command.context_settings, "max_content_width": 100, "terminal_width": 100}
    context = click.Context(command, info_name=title.split()[-1], parent=parent, **settings)
    return f"## {title}\n\n```text\n{command.get_help(context)}\n```\n"


if __name__ == "__main__":
    TARGET.write_text(reference())
