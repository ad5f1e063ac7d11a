"""The app's charts, by Altair: Streamlit gives them the page's own text colours, in light and dark."""

from __future__ import annotations

import altair as alt
import pandas as pd

Layers = alt.LayerChart | alt.FacetChart  # what alt.layer may answer
BLUE, ORANGE, GREY, RED = "#3b82c4", "#e07b39", "#8a94a0", "#d1495b"
_MODELS = alt.Scale(scheme="tableau10")  # eight models apart, on light and dark; Streamlit's own has pale blues
_MONTHS = alt.Axis(title=None, labelAngle=0, labelOverlap=True)
_DAY = alt.Axis(format="%d %b", title=None, labelOverlap=True)


def station_chart(history: pd.DataFrame, cells: pd.DataFrame) -> Layers:
    """One station: the trips that came, the forecast and its intervals.

    Args:
        history: DAY, TRIPS.
        cells: DAY, LOW_95, LOW_80, FORECAST, HIGH_80, HIGH_95.
    """
    came = alt.Chart(history.assign(KIND="came")).mark_line(strokeWidth=1.5)
    x = alt.X("DAY:T", axis=_DAY)
    colour = alt.Color(
        "KIND:N",
        scale=alt.Scale(domain=["came", "forecast"], range=[GREY, BLUE]),
        legend=alt.Legend(title=None, orient="top"),
    )
    y_title = "trips a day"
    layers = [
        came.encode(
            x=x,
            y=alt.Y("TRIPS:Q", title=y_title),
            color=colour,
            tooltip=[alt.Tooltip("DAY:T", title="day", format="%a %d %b %Y"), alt.Tooltip("TRIPS:Q", title="came")],
        )
    ]
    ahead = alt.Chart(cells.assign(KIND="forecast"))
    for level, opacity in ((95, 0.18), (80, 0.3)):
        layers.append(
            ahead.mark_area(opacity=opacity, color=BLUE).encode(
                x=x, y=alt.Y(f"LOW_{level}:Q", title=y_title), y2=f"HIGH_{level}:Q"
            )
        )
    tips = [
        alt.Tooltip("DAY:T", title="day", format="%a %d %b %Y"),
        alt.Tooltip("FORECAST:Q", format=".1f", title="forecast"),
    ]
    for level in (80, 95):
        tips += [
            alt.Tooltip(f"LOW_{level}:Q", format=".0f", title=f"{level} % from"),
            alt.Tooltip(f"HIGH_{level}:Q", format=".0f", title=f"{level} % to"),
        ]
    line = ahead.mark_line(strokeWidth=2.5, point=alt.OverlayMarkDef(size=22))
    layers.append(line.encode(x=x, y=alt.Y("FORECAST:Q", title=y_title), color=colour, tooltip=tips))
    return alt.layer(*layers).properties(height=300)


def stations_map(stations: pd.DataFrame, picked: set[str]) -> alt.Chart:
    """Stations at their places, sized by the trips of the forecast's first day; needs no map tiles.

    Args:
        stations: STATION_ID, STATION_NAME, LATITUDE, LONGITUDE, NEXT_DAY.
        picked: ids that stand out.
    """
    shown = stations.dropna(subset=["LATITUDE", "LONGITUDE"]).sort_values("NEXT_DAY", ascending=False)
    shown = shown.assign(KIND=["picked" if key in picked else "others" for key in shown["STATION_ID"]])
    return (
        alt.Chart(shown)
        .mark_circle(opacity=0.65, stroke="white", strokeWidth=0.5)
        .encode(
            longitude="LONGITUDE:Q",
            latitude="LATITUDE:Q",
            size=alt.Size("NEXT_DAY:Q", scale=alt.Scale(range=[8, 900], domainMin=0), legend=None),
            color=alt.Color(
                "KIND:N",
                scale=alt.Scale(domain=["picked", "others"], range=[ORANGE, BLUE]),
                legend=alt.Legend(title=None, orient="top"),
            ),
            tooltip=[
                alt.Tooltip("STATION_NAME:N", title="station"),
                alt.Tooltip("NEXT_DAY:Q", title="trips", format=".0f"),
            ],
        )
        .project("mercator")
        .properties(height=420)
    )


def error_chart(errors: pd.DataFrame) -> Layers:
    """WAPE of each month, with that of the seasonal naive forecast beside it.

    Args:
        errors: RUN_DATE, MODEL, WAPE, NAIVE_WAPE.
    """
    months = (errors["RUN_DATE"] - pd.Timedelta(days=1)).dt.strftime("%Y-%m")
    base = alt.Chart(errors.assign(MONTH=months)).encode(x=alt.X("MONTH:O", axis=_MONTHS))
    wape = alt.Y("WAPE:Q", title="WAPE", axis=alt.Axis(format="%"))
    naive = base.mark_line(color=GREY, strokeDash=[5, 4], point=alt.OverlayMarkDef(color=GREY, size=30)).encode(
        y=alt.Y("NAIVE_WAPE:Q", title="WAPE"),
        tooltip=[alt.Tooltip("MONTH:O", title="month"), alt.Tooltip("NAIVE_WAPE:Q", title="naive", format=".1%")],
    )
    own = base.mark_line(point=alt.OverlayMarkDef(size=45)).encode(
        y=wape,
        color=alt.Color("MODEL:N", scale=_MODELS, legend=alt.Legend(title=None, orient="top")),
        tooltip=[
            alt.Tooltip("MONTH:O", title="month"),
            "MODEL:N",
            alt.Tooltip("WAPE:Q", format=".1%"),
            alt.Tooltip("NAIVE_WAPE:Q", title="naive", format=".1%"),
        ],
    )
    return alt.layer(naive, own).properties(height=260)


def cutoff_chart(errors: pd.DataFrame) -> alt.Chart:
    """WAPE of each model of the backtest by cutoff.

    Args:
        errors: MODEL, CUTOFF, WAPE.
    """
    return (
        alt.Chart(errors)
        .mark_line(point=alt.OverlayMarkDef(size=30))
        .encode(
            x=alt.X("CUTOFF:T", axis=alt.Axis(format="%d %b %y", title=None, labelOverlap=True)),
            y=alt.Y("WAPE:Q", axis=alt.Axis(format="%")),
            color=alt.Color("MODEL:N", scale=_MODELS, legend=alt.Legend(title=None, orient="top", columns=3)),
            tooltip=["MODEL:N", alt.Tooltip("CUTOFF:T", title="cutoff"), alt.Tooltip("WAPE:Q", format=".1%")],
        )
        .properties(height=280)
    )


def drift_chart(drift: pd.DataFrame) -> Layers:
    """The drift statistic by day, its threshold, and the days of alarm.

    Args:
        drift: DAY, STATISTIC, THRESHOLD, ALARM, DIRECTION, ACTUAL, FORECAST.
    """
    x = alt.X("DAY:T", axis=alt.Axis(format="%d %b %y", title=None, labelOverlap=True))
    base = alt.Chart(drift)
    tips = [
        alt.Tooltip("DAY:T", title="day", format="%a %d %b %Y"),
        alt.Tooltip("STATISTIC:Q", format=".1f", title="statistic"),
        alt.Tooltip("DIRECTION:N", title="direction"),
        alt.Tooltip("ACTUAL:Q", format=",.0f", title="came"),
        alt.Tooltip("FORECAST:Q", format=",.0f", title="forecast"),
    ]
    line = base.mark_line(color=BLUE).encode(x=x, y=alt.Y("STATISTIC:Q", title="statistic"), tooltip=tips)
    alarms = base.transform_filter("datum.ALARM").mark_circle(color=RED, size=60, opacity=1).encode(
        x=x, y=alt.Y("STATISTIC:Q", title="statistic"), tooltip=tips
    )  # fmt: skip
    rule = base.mark_line(color=RED, strokeDash=[5, 4]).encode(x=x, y=alt.Y("THRESHOLD:Q", title="statistic"))
    return alt.layer(line, rule, alarms).properties(height=240)
