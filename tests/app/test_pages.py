"""Each page by Streamlit's simulator on a small made-up warehouse: filled, empty, and gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from snowflake.snowpark import Session
from streamlit.testing.v1 import AppTest
from warehouse_data import EARLIER_ID, HISTORY, MODEL_ID, NAMES, fill

from polynya.server.local import Warehouse
from tripcast.app import queries
from tripcast.app.graph import run_graph
from tripcast.app.views import ingest
from tripcast.lineage import runs
from tripcast.setup import make_objects
from tripcast.sources.synthetic import generate

Open = Callable[..., AppTest]
PAGES = ("forecast", "plan", "monitor", "lineage", "ingest")


def shown(page: AppTest) -> str:
    """All text on a page."""
    assert not page.exception, page.exception
    texts = [element.value for kind in ("info", "error", "warning", "success", "markdown", "code", "caption") for element in page.get(kind)]  # fmt: skip
    return "\n".join(map(str, texts))


def html(page: AppTest) -> str:
    return "".join(element.proto.body for element in page.get("html"))


@pytest.mark.parametrize("name", PAGES)
def test_page_draws(open_page: Open, filled: dict[str, Any], name: str) -> None:
    page = open_page(name, filled)
    assert page.title[0].value == name.capitalize()
    shown(page)
    assert not page.error


def test_forecast_shows_names_reasons_and_intervals(open_page: Open, filled: dict[str, Any]) -> None:
    page = open_page("forecast", filled)
    made = html(page)
    assert "Grove St PATH" in made and "Newport &lt;Pkwy&gt;" in made and "S0000" not in made
    assert "season −4.5" in made and "80 %: " in made and "weekday mean" in made
    assert made.count("<td style") == 7 * len(NAMES)  # the first week
    page.multiselect(key="stations").set_value(["S0003"]).run()
    assert html(page).count("<td style") == 7 and "Sip Ave" in html(page)
    page.multiselect(key="stations").set_value([]).run()
    assert "Pick a station" in shown(page)


def test_forecast_takes_other_days(open_page: Open, filled: dict[str, Any]) -> None:
    page = open_page("forecast", filled)
    page.date_input[0].set_value((date(2021, 3, 10), date(2021, 3, 12))).run()
    assert html(page).count("<td style") == 3 * len(NAMES)
    assert "Wed 10 Mar" in html(page) and "Mon 01 Mar" not in html(page)


def test_a_higher_service_level_needs_more_bikes(open_page: Open, filled: dict[str, Any]) -> None:
    page = open_page("plan", filled)
    low = page.dataframe[0].value
    page.slider(key="level").set_value(95).run()
    high = page.dataframe[0].value
    assert low.index[0] == "Grove St PATH"
    assert (high >= low).all().all() and high.to_numpy().sum() > low.to_numpy().sum()


def test_moves_cover_what_they_say(open_page: Open, filled: dict[str, Any]) -> None:
    page = open_page("plan", filled)
    page.radio(key="view").set_value("Moves").run()
    page.number_input(key="within").set_value(20.0).run()
    missing, covered, rest = (int(metric.value) for metric in page.metric)
    assert missing == covered + rest
    if covered:
        assert page.dataframe[-1].value["Bikes"].sum() == covered


def test_monitor_shows_runs_champion_and_drift(open_page: Open, filled: dict[str, Any]) -> None:
    page = open_page("monitor", filled)
    text = shown(page)
    assert "Champion: **lightgbm**" in text and "40.0% below seasonal_naive" in text
    assert "A fall since 26 Feb 2021" in text
    assert [metric.value for metric in page.metric] == ["35.0%", "55.0%", "-4.0%"]
    assert "Sip Ave" in set(page.dataframe[0].value["STATION_NAME"])


def test_lineage_shows_tables_tags_and_the_graph(open_page: Open, filled: dict[str, Any]) -> None:
    page = open_page("lineage", filled)
    assert list(page.dataframe[0].value["Id"]) == [MODEL_ID, EARLIER_ID]
    left = page.dataframe[1].value
    assert {name.split("_")[0] for name in left["TABLE"]} == {"CLONE", "FEATURE", "PRED"}
    assert set(left["TAG"]) == {"this run"}
    graph = page.get("graphviz_chart")[0].proto.spec
    assert '"FEATURE" -> "model"' in graph and "BACKTEST" not in graph
    assert f"tripcast reproduce {MODEL_ID}" in shown(page)


def test_graph_leaves_out_what_is_gone() -> None:
    run = runs.Run("abc_1", date(2021, 3, 1), runs.MONTH, "lightgbm", 30, 0)
    graph = run_graph(run, ["FEATURE_ABC_1"], stored=False)
    assert '"model"' not in graph and "CLONE" not in graph


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("forecast", "tripcast forecast"),
        ("plan", "tripcast forecast"),
        ("monitor", "tripcast evaluate"),
        ("lineage", "tripcast forecast"),
        ("ingest", "tripcast setup"),
    ],
)
def test_an_empty_warehouse_says_which_command_makes_the_data(
    open_page: Open, empty: dict[str, Any], name: str, command: str
) -> None:
    page = open_page(name, empty)
    assert command in shown(page)
    assert not page.error


def test_a_warehouse_that_is_set_up_but_has_no_rows(open_page: Open, empty: dict[str, Any]) -> None:
    with Session.builder.configs(empty).create() as session:
        make_objects(session)
    for name, command in zip(PAGES, ("forecast", "forecast", "evaluate", "forecast", "load"), strict=True):
        assert f"tripcast {command}" in shown(open_page(name, empty)), name


def test_a_warehouse_that_was_never_there(open_page: Open, filled: dict[str, Any]) -> None:
    page = open_page("forecast", {**filled, "port": 9})
    assert "The warehouse does not answer" in page.error[0].value
    assert page.button[0].label == "Try again"


def test_a_warehouse_that_stops_and_comes_back(open_page: Open, tmp_path: Path) -> None:
    with Warehouse(tmp_path / "home") as own:
        page = open_page("monitor", {**own.connection_parameters})
        assert "tripcast setup" in shown(page)  # there is no database yet
        assert not page.error
        own.stop()
        start = time.monotonic()
        page.run()
        assert "The warehouse does not answer" in page.error[0].value
        assert time.monotonic() - start < 5
    again = Warehouse(tmp_path / "home", port=own.connection_parameters["port"])
    with again:
        page.button[0].click().run()
        assert not page.error, page.error[0].value


@pytest.mark.parametrize(
    ("month", "folder", "said"),
    [
        ("2021-13", "", "no month"),
        ("2099-01", "", "not over"),
        ("2021-03", "/no/such/folder", "no folder"),
        ("2021-03", "", None),
    ],
)
def test_ingest_refuses_what_cannot_be_run(month: str, folder: str, said: str | None) -> None:
    refused = ingest.refusal(month, folder)
    assert refused is None if said is None else said in (refused or "")


def test_ingest_runs_the_next_month(
    open_page: Open, empty: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(tmp_path, trips=600, first="2019-03", last="2019-04", stations=3, seed=3)
    with Session.builder.configs(empty).create() as session:
        make_objects(session)
        from tripcast.pipeline import load_trips
        from tripcast.sources.choose import Chosen, in_months
        from tripcast.sources.files import trip_files

        load_trips(session, Chosen(in_months(trip_files(tmp_path), None, "2019-03"), "", True))
    page = open_page("ingest", empty)
    assert page.text_input[0].value == "2019-04"
    page.text_input(key="folder").set_value(str(tmp_path))
    page.selectbox(key="model").set_value("seasonal_naive")
    page.button[0].click().run()
    job = ingest.jobs().current
    assert job is not None
    until = time.monotonic() + 60
    while job.state == "running" and time.monotonic() < until:
        time.sleep(0.2)
    assert job.error is None
    page.run()
    assert "30 days are forecast from 2019-05-01" in shown(page)
    assert "train and predict" in shown(page)
    assert page.run().text_input[0].value == "2019-05"
    assert "30 Apr 2019" in shown(page)


def test_ingest_tells_of_failures(open_page: Open, filled: dict[str, Any], tmp_path: Path) -> None:
    page = open_page("ingest", filled)
    assert page.text_input[0].value == "2021-03"
    page.text_input(key="folder").set_value(str(tmp_path))
    page.button[0].click().run()
    job = ingest.jobs().current
    assert job is not None
    until = time.monotonic() + 30
    while job.state == "running" and time.monotonic() < until:
        time.sleep(0.05)
    page.run()
    assert "failed" in page.error[0].value and str(tmp_path) in page.error[0].value


def test_a_page_is_quick_with_1500_stations(open_page: Open, empty: dict[str, Any]) -> None:
    with Session.builder.configs(empty).create() as session:
        fill(session, 1_500)
        made = queries.forecasts(session)[0]
        assert made.stations == 1_500
        assert len(queries.history(session, "S0001", date(2020, 1, 1), made.cutoff)) == HISTORY
    for name, view in (("forecast", None), ("plan", "Bikes needed"), ("plan", "Moves")):
        page = open_page(name, empty)
        if view:
            page.radio(key="view").set_value(view).run()
        shown(page)
        st.cache_data.clear()
        start = time.perf_counter()
        page.run()
        seconds = time.perf_counter() - start
        print(f"{name} {view or ''}: {seconds:.2f} s with 1,500 stations")
        assert seconds < 5  # 1 s on a machine that does nothing else
