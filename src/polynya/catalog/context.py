"""The names and settings with which a statement of one session is resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from polynya.catalog.model import AccessToken, CatalogObject

if TYPE_CHECKING:
    from polynya.catalog.store import Catalog


@dataclass(slots=True)
class Context:
    """A session's current objects and settings.

    Args:
        catalog: the account's objects.
        session_id: of the session.
        user, role, warehouse, database, schema: current names, resolved, or None.
        acting: the role whose rights count instead of the session's: the owner of the view or function being bound.
        unrestricted: the server itself asks: everything is allowed.
        secondary_roles: ``ALL``, ``NONE``, or names with commas between them.
        access_token: the programmatic access token with which the session was opened, or None.
        parameters: session parameters that were set, upper-case names; read them with ``parameter``.
        variables: SET variables, upper-case names -> (Python value).
        temporary: the session's temporary objects, (schema id, object kind, name) -> object. Kinds are those of
            ``Catalog.find``: TABLE (tables and views share it), STAGE, "FILE FORMAT", SEQUENCE, FUNCTION, PROCEDURE;
            a function's name here is its signature.
        query_id: of the statement that runs.
        last_query_ids: of the session's statements so far, oldest first.
        statement_start: when the running statement began (CURRENT_TIMESTAMP).
    """

    catalog: Catalog
    session_id: int
    user: str
    account: str
    role: str | None = None
    acting: str | None = None
    unrestricted: bool = False
    secondary_roles: str = "ALL"
    access_token: AccessToken | None = None
    warehouse: str | None = None
    database: str | None = None
    schema: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    temporary: dict[tuple[int, str, str], CatalogObject] = field(default_factory=dict)
    query_id: str = ""
    last_query_ids: list[str] = field(default_factory=list)
    statement_start: datetime = field(default_factory=lambda: datetime.now(UTC))
    client: dict[str, Any] = field(default_factory=dict)

    def parameter(self, name: str) -> Any:
        """The value of a session parameter: set in the session, else the account's default.

        Args:
            name: upper case, e.g. ``TIMEZONE``.
        """
        from polynya.catalog.parameters import DEFAULTS

        if name in self.parameters:
            return self.parameters[name]
        return self.catalog.account_parameters.get(name, DEFAULTS[name].value if name in DEFAULTS else None)
