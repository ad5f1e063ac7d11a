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
        parts += _sections(name, group, top)
    return "\n".join(parts)


def _sections(title: str, group: click.Group, parent: click.Context) -> list[str]:
    """Those of a group's commands, each followed by its own commands."""
    found = []
    for key in sorted(group.commands):
        command = group.commands[key]
        found.append(_section(f"{title} {key}", command, parent))
        if isinstance(command, click.Group):
            own = click.Context(command, info_name=key, parent=parent, **command.context_settings)
            found += _sections(f"{title} {key}", command, own)
    return found


def _section(title: str, command: click.Command, parent: click.Context | None) -> str:
    settings = {**command.context_settings, "max_content_width": 100, "terminal_width": 100}
    context = click.Context(command, info_name=title.split()[-1], parent=parent, **settings)
    return f"## {title}\n\n```text\n{command.get_help(context)}\n```\n"


if __name__ == "__main__":
    TARGET.write_text(reference())
