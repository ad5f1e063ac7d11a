"""The coloured table: legible, escaped, with the reason that weighed most."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from tripcast.app.table import colour, contrast, main_reason, reason_text, table_html


@given(st.floats(-1, 2))
def test_every_colour_is_legible(share: float) -> None:
    assert contrast(*colour(share)) >= 4.5


def test_the_largest_part_is_the_reason_and_the_level_is_none() -> None:
    assert main_reason({"usual level": 30.0, "season": -4.5, "weekday": 1.5}) == ("season", -4.5)
    assert main_reason({"usual level": 30.0, "season": 0.0}) is None
    assert reason_text('{"usual level": 3, "weekday": 2.04}', None) == "weekday +2.0"
    assert reason_text('{"weather": -2.04}', None) == "weather −2.0"
    assert reason_text(None, "weekday mean: 3 days are too few") == "weekday mean"
    assert reason_text(None, None) == ""


def test_table_has_days_down_and_stations_across() -> None:
    days = pd.to_datetime(["2021-03-01", "2021-03-02"])
    rows = pd.DataFrame({"DAY": [days[0], days[0], days[1]], "STATION_ID": ["b", "a", "b"],
                         "STATION_NAME": ["B <&>", "A", "B <&>"], "FORECAST": [10.0, 4.4, 9.0]})  # fmt: skip
    rows = rows.assign(LOW_80=1.0, HIGH_80=20.0, EXPLANATION='{"usual level": 5, "season": -2}', FALLBACK=None)
    made = table_html(rows)
    assert made.index("B &lt;&amp;&gt;") < made.index(">A<")
    assert "<&>" not in made
    assert made.index("Mon 01 Mar") < made.index("Tue 02 Mar")
    assert "<b>10</b>" in made and "season −2.0" in made and "80 %: 1 to 20" in made
    assert "<td>–</td>" in made  # no forecast of A on the second day


def test_a_table_without_cells_is_empty() -> None:
    assert "<td" not in table_html(pd.DataFrame(columns=["DAY", "STATION_ID", "STATION_NAME", "FORECAST"]))
