"""The coloured table of days by stations, as HTML: the trips, and below them the reason that weighed most."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping

import pandas as pd

# what a forecast begins with, which is no reason for it to be high or low
LEVELS = frozenset({"usual level", "level"})
_LOW, _HIGH = (226, 238, 250), (8, 69, 148)
# between black and white, one has a contrast of 4.58 or more with any colour
_DARK, _LIGHT = "#000000", "#ffffff"
_STYLE = """<style>
.days { overflow: auto; max-height: 34rem; }
.days table { border-collapse: separate; border-spacing: 2px; font-variant-numeric: tabular-nums; font-size: .9rem; }
.days th { font-weight: 600; padding: .3rem .5rem; vertical-align: bottom; text-align: center; min-width: 5.2rem;
  max-width: 8rem; line-height: 1.2; }
.days th.day { text-align: left; min-width: 4.8rem; white-space: nowrap; vertical-align: middle; position: sticky; left: 0;
  background: var(--st-background-color); }
.days td { padding: .25rem .4rem; text-align: center; border-radius: 4px; line-height: 1.2; border: 0; }
.days td b { font-size: 1.05rem; }
.days td small { display: block; white-space: nowrap; font-size: .72rem; }
</style>"""


def colour(share: float) -> tuple[str, str]:
    """Background and text of a cell.

    Args:
        share: 0 for the fewest trips, 1 for the most.

    Returns:
        two CSS colours that read well together, whatever the page's own are.
    """
    share = min(max(share, 0.0), 1.0)
    mixed = [round(low + (high - low) * share) for low, high in zip(_LOW, _HIGH, strict=True)]
    back = "#" + "".join(f"{part:02x}" for part in mixed)
    return back, max((_DARK, _LIGHT), key=lambda text: contrast(back, text))


def contrast(one: str, other: str) -> float:
    """The contrast of two colours as WCAG 2 defines it: 4.5 or more is legible."""
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def main_reason(explanation: Mapping[str, float]) -> tuple[str, float] | None:
    """The part of an explanation that moved the forecast most, and by how many trips; None if nothing did."""
    parts = {name: trips for name, trips in explanation.items() if name not in LEVELS and trips}
    if not parts:
        return None
    name = max(parts, key=lambda part: (abs(parts[part]), part))
    return name, parts[name]


def reason_text(explanation: str | None, fallback: str | None) -> str:
    """The reason of a cell in words: ``weekday +3.2``; what a fallback says of itself; empty if there is none.

    Args:
        explanation: JSON of name -> trips.
        fallback: why another than the model itself spoke.
    """
    if isinstance(fallback, str) and fallback:
        return fallback.split(":", 1)[0]
    parts = json.loads(explanation) if isinstance(explanation, str) and explanation else None
    found = main_reason({name: float(trips) for name, trips in (parts or {}).items()})
    return f"{found[0]} {found[1]:+.1f}".replace("-", "−") if found else ""


def table_html(cells: pd.DataFrame) -> str:
    """The table; the whole explanation of a cell appears when a mouse rests on it.

    Args:
        cells: STATION_NAME, STATION_ID, DAY, FORECAST, LOW_80, HIGH_80, EXPLANATION, FALLBACK; stations come in this order.
    """
    most = max(float(cells["FORECAST"].max()), 1e-9) if len(cells) else 1.0
    ids = list(dict.fromkeys(cells["STATION_ID"]))
    titles = dict(zip(cells["STATION_ID"], cells["STATION_NAME"], strict=True))
    known = {(row.STATION_ID, row.DAY): row for row in cells.itertuples(index=False)}
    head = "".join(f"<th>{html.escape(str(titles[key]))}</th>" for key in ids)
    lines = []
    for day in sorted(set(cells["DAY"])):
        row = "".join(_cell(known.get((key, day)), most) for key in ids)
        lines.append(f'<tr><th class="day">{day:%a %d %b}</th>{row}</tr>')
    return f'{_STYLE}<div class="days"><table><tr><th class="day">Day</th>{head}</tr>{"".join(lines)}</table></div>'


def _cell(row: object, most: float) -> str:
    if row is None:
        return "<td>–</td>"
    forecast = float(row.FORECAST)  # type: ignore[attr-defined]
    back, text = colour(forecast / most)
    reason = html.escape(reason_text(row.EXPLANATION, row.FALLBACK))  # type: ignore[attr-defined]
    hint = html.escape(_hint(row), quote=True)
    return (
        f'<td style="background:{back};color:{text}" title="{hint}"><b>{forecast:.0f}</b>'
        f'<small style="color:{text}">{reason or "&nbsp;"}</small></td>'
    )


def _hint(row: object) -> str:
    lines = [f"{row.STATION_NAME}, {row.DAY:%a %d %b %Y}", f"{row.FORECAST:.1f} trips"]  # type: ignore[attr-defined]
    if pd.notna(row.LOW_80):  # type: ignore[attr-defined]
        lines.append(f"80 %: {row.LOW_80:.0f} to {row.HIGH_80:.0f}")  # type: ignore[attr-defined]
    if isinstance(row.FALLBACK, str) and row.FALLBACK:  # type: ignore[attr-defined]
        lines.append(row.FALLBACK)  # type: ignore[attr-defined]
    elif isinstance(row.EXPLANATION, str) and row.EXPLANATION:  # type: ignore[attr-defined]
        parts = json.loads(row.EXPLANATION) or {}  # type: ignore[attr-defined]
        ordered = sorted(parts.items(), key=lambda item: -abs(item[1]))
        lines += [f"{name}: {trips:.1f}" if name in LEVELS else f"{name}: {trips:+.1f}" for name, trips in ordered]
    return "\n".join(lines)
