"""How a session wants semi-structured values written."""

from __future__ import annotations

import base64
from dataclasses import astuple, dataclass, field

import orjson
import pyarrow as pa

from polynya.catalog.context import Context
from polynya.types.variant import Formats, display


@dataclass(frozen=True, slots=True)
class Style:
    """How semi-structured values are written.

    Args:
        indent: spaces a level (JSON_INDENT); 0 for one line.
        formats: of dates and times inside them.
        structured: send structured types as such, not as JSON text.
    """

    indent: int = 2
    formats: Formats = field(default_factory=Formats)
    structured: bool = False

    @classmethod
    def of(cls, context: Context) -> Style:
        """A session's style."""

        def text(name: str) -> str:
            return str(context.parameter(name) or context.parameter("TIMESTAMP_OUTPUT_FORMAT"))

        formats = Formats(
            text("DATE_OUTPUT_FORMAT"),
            text("TIME_OUTPUT_FORMAT"),
            text("TIMESTAMP_NTZ_OUTPUT_FORMAT"),
            text("TIMESTAMP_LTZ_OUTPUT_FORMAT"),
            text("TIMESTAMP_TZ_OUTPUT_FORMAT"),
            text("TIMEZONE"),
        )
        structured = str(context.parameter("ENABLE_STRUCTURED_TYPES_IN_CLIENT_RESPONSE")).lower() == "true"
        return cls(int(context.parameter("JSON_INDENT")), formats, structured)

    @classmethod
    def from_address(cls, text: str) -> Style:
        """The style a chunk's address names.

        Raises:
            ValueError: if it names none.
        """
        indent, structured, *formats = orjson.loads(base64.urlsafe_b64decode(text))
        return cls(int(indent), Formats(*formats), bool(structured))

    def to_address(self) -> str:
        """For a chunk's address."""
        return base64.urlsafe_b64encode(orjson.dumps([self.indent, self.structured, *astuple(self.formats)])).decode()

    def display(self, texts: pa.Array) -> pa.Array:
        """A column of JSON text as Snowflake prints it."""
        return display(texts if pa.types.is_string(texts.type) else texts.cast(pa.string()), self.indent, self.formats)
