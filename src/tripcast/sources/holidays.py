"""Public holidays, from the library ``holidays``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import date

# What the whole country keeps. States have more (New Jersey: Lincoln's birthday, election day), on which trips are as usual.
_CHOSEN = (os.environ.get("TRIPCAST_HOLIDAYS") or "US").split("-", 1)  # US, DE-BE: ISO 3166
COUNTRY, STATE = _CHOSEN[0], _CHOSEN[1] if len(_CHOSEN) > 1 else None


def public_holidays(years: Iterable[int], country: str = COUNTRY, state: str | None = STATE) -> list[tuple[date, str]]:
    """Days of rest and what they are called, oldest first; days kept for a holiday on a weekend are among them.

    Args:
        years: of the calendar.
        country: ISO 3166 code, such as ``US``.
        state: code of a part of the country, such as ``NJ``; None for what the whole country keeps.

    Raises:
        ValueError: the library knows no such country or state.
    """
    import holidays

    try:
        found = holidays.country_holidays(country, subdiv=state, years=sorted(set(years)))
    except NotImplementedError as error:
        known = holidays.list_supported_countries()
        if country not in known:
            raise ValueError(
                f"no holidays are known for country {country!r}: use an ISO 3166 code such as 'US'"
            ) from error
        raise ValueError(f"no state {state!r} in {country}: use one of {', '.join(known[country])}") from error
    return sorted(found.items())
