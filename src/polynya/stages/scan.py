"""What a CSV file holds, found in one pass over its bytes: whether the engine's reader and Snowflake agree on it.

The engine's reader is fast but differs from Snowflake's in corners: it skips blank lines, allows an empty field too
many, strips blanks around quotes, and knows no escapes outside quotes. A file that has none of these is read by the
engine; any other is read by ``csv_parser``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from polynya.stages.formats import FileFormat

_CARRY = 64  # bytes of a block that are looked at again with the next: patterns are shorter
_HEAD = 1 << 16
_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Facts:
    """What was seen in a file.

    Args:
        size: bytes of plain text.
        lines: how many line feeds, one more if the last line has none.
        head: the first bytes (without a byte order mark).
        blank_line: an empty line.
        escape: an escape character outside quotes, other than ``\\N`` as a whole field.
        quotes: how often the enclosing character occurs.
        blanks_at_quotes: blanks between a quote and a delimiter.
        ends_empty: a line ends with a delimiter.
        widths_at_end: how many fields lines have that end with a delimiter (line feeds in quotes taken for ends).
        own_escape: ESCAPE's character occurs.
        carriage_returns: a carriage return occurs.
        bom: it begins with a byte order mark.
    """

    size: int = 0
    lines: int = 0
    head: bytes = b""
    blank_line: bool = False
    escape: bool = False
    quotes: int = 0
    blanks_at_quotes: bool = False
    ends_empty: bool = False
    widths_at_end: frozenset[int] = frozenset()
    own_escape: bool = False
    carriage_returns: bool = False
    bom: bool = False


class Scanner:
    """Gathers the facts of one file, block by block.

    Args:
        file_format: a CSV format.
    """

    def __init__(self, file_format: FileFormat) -> None:
        self.facts = Facts()
        delimiter = (file_format["FIELD_DELIMITER"] or "").encode()
        quote = (file_format["FIELD_OPTIONALLY_ENCLOSED_BY"] or "").encode()
        unenclosed = (file_format["ESCAPE_UNENCLOSED_FIELD"] or "").encode()
        own = (file_format["ESCAPE"] or "").encode()
        self._quote = quote
        self._own = own
        self._escape_byte = unenclosed
        field_end = rb"(?:[\r\n]|\Z" + (b"|" + re.escape(delimiter) if delimiter else b"") + rb")"
        field_start = rb"(?:[\r\n]" + (b"|" + re.escape(delimiter) if delimiter else b"") + rb")"
        ends = b"|" + re.escape(quote) if quote else b""
        # `\N` alone in its field is what NULL_IF is for; any other escape changes how the line is read.
        null = rb"N" if "\\N" in file_format["NULL_IF"] else rb"(?!)"
        self._escape = (
            re.compile(re.escape(unenclosed) + rb"(?!" + null + rb"(?:[\r\n]|\Z" + (b"|" + re.escape(delimiter) if delimiter else b"") + ends + b"))")
            if unenclosed else None
        )  # fmt: skip
        quoted = re.escape(quote)
        self._blanks = (
            re.compile(field_start + rb"[ \t]+" + quoted + b"|" + quoted + rb"[ \t]+" + field_end) if quote else None
        )
        self._delimiter = delimiter
        self._tail = b"\n"  # the file's beginning is a line's beginning

    def add(self, block: bytes) -> None:
        """Looks at the file's next bytes."""
        facts = self.facts
        if not facts.size and block.startswith(_BOM):
            facts.bom = True
            block = block[len(_BOM) :]
        facts.size += len(block)
        if len(facts.head) < _HEAD:
            facts.head += block[: _HEAD - len(facts.head)]
        self._look(self._tail + block, len(self._tail))
        self._tail = (self._tail + block)[-_CARRY:] if len(block) < _CARRY else block[-_CARRY:]

    def finish(self) -> Facts:
        """The facts, after the last block."""
        facts = self.facts
        self._look(self._tail, len(self._tail), final=True)
        if facts.size and not self._tail.endswith(b"\n"):
            facts.lines += 1
            facts.ends_empty |= bool(self._delimiter) and self._tail.endswith(self._delimiter)
        return facts

    def _look(self, window: bytes, seen: int, *, final: bool = False) -> None:
        """Finds pairs of neighbouring bytes by comparing whole blocks, which is some ten times as fast as searching.

        Args:
            window: the end of what was looked at before, and a new block.
            seen: length of the former.
            final: nothing follows.
        """
        import numpy as np  # 20 MB that a server without CSV files does not need

        facts = self.facts
        data = np.frombuffer(window, dtype=np.uint8)
        feed = data == 10
        facts.lines += int(np.count_nonzero(feed[seen:]))
        facts.carriage_returns = facts.carriage_returns or b"\r" in window
        before_feed = [(feed[1:], slice(None, -1))]  # (where a line feed follows, the bytes it follows)
        if facts.carriage_returns:
            before_feed.append((feed[2:] & (data[1:-1] == 13), slice(None, -2)))
        for follows, before in before_feed:
            facts.blank_line = facts.blank_line or bool((follows & feed[before]).any())
            if len(self._delimiter) == 1:
                facts.ends_empty = facts.ends_empty or bool((follows & (data[before] == self._delimiter[0])).any())
        if len(self._delimiter) > 1:
            facts.ends_empty = facts.ends_empty or any(self._delimiter + end in window for end in (b"\n", b"\r\n"))
        if self._blanks is not None and self._quote in window:
            quote = data == self._quote[0]
            facts.quotes += int(np.count_nonzero(quote[seen:]))
            blank = (data == 32) | (data == 9)
            if not facts.blanks_at_quotes and ((quote[1:] & blank[:-1]).any() or (quote[:-1] & blank[1:]).any()):
                facts.blanks_at_quotes = self._certain(self._blanks, window, final)
        if self._escape is not None and not facts.escape and self._escape_byte in window:
            facts.escape = self._certain(self._escape, window, final)
        if self._own and not facts.own_escape:
            facts.own_escape = self._own in window

    @staticmethod
    def _certain(pattern: re.Pattern[bytes], window: bytes, final: bool) -> bool:
        """Whether the pattern occurs, leaving a match near the window's end to the next window."""
        found = pattern.search(window)
        return found is not None and (final or found.start() < len(window) - _CARRY // 2)


def scan(blocks: Iterator[bytes], file_format: FileFormat, target: BinaryIO | None = None) -> Facts:
    """Looks through a file, and writes it out on the way.

    Args:
        blocks: its content in UTF-8.
        file_format: a CSV format.
        target: where to write the content, without a byte order mark, or None.
    """
    scanner = Scanner(file_format)
    for block in blocks:
        first = scanner.facts.size == 0
        scanner.add(block)
        if target is not None:
            target.write(block[len(_BOM) :] if first and scanner.facts.bom else block)
    return scanner.finish()


def scan_file(path: Path, file_format: FileFormat) -> Facts:
    """Looks through a plain file."""
    with path.open("rb") as stream:
        return scan(iter(lambda: stream.read(1 << 18), b""), file_format)


def widths_at_end(path: Path, file_format: FileFormat) -> frozenset[int]:
    """How many fields those lines have that end with a delimiter.

    The engine takes an empty field too many for the end of the line, so these lines are counted here.
    """
    delimiter = file_format["FIELD_DELIMITER"].encode()
    quote = (file_format["FIELD_OPTIONALLY_ENCLOSED_BY"] or "").encode()
    enclosed = re.compile(quote + b"[^" + quote + b"]*" + quote) if quote else None
    widths = set()
    with path.open("rb") as stream:
        for line in stream:
            line = line.rstrip(b"\r\n")
            if line.endswith(delimiter):
                if enclosed is not None and quote in line:
                    line = enclosed.sub(b"", line)
                widths.add(line.count(delimiter) + 1)
    return frozenset(widths)
