"""The table that is printed and the document that is kept."""

from __future__ import annotations

import json

from bench.bounds import PLAIN, Bound
from bench.measure import Cell
from bench.report import Table, cells_of, document, middle, render
from bench.rows import Row

GET = Row("get", "small GET", "us per request", (Bound(2.5),))
IDLE = Row("idle", "idle WebSocket", "KiB each")
PEERS = ("nginx", "devproxy")


def rows(devproxy: Cell, nginx: Cell | None = None, *, row: Row = GET) -> list[str]:
    """The line of one row, split at its columns: title, nginx, devproxy and, where there is one, the verdict."""
    table = {row.key: {"nginx": nginx or Cell([20.0]), "devproxy": devproxy}}
    line = render([row], table, PEERS, markdown=True).splitlines()[2]
    return [column.strip() for column in line.strip("|").split("|")]


def test_a_cell_shows_its_median_and_how_many_times_nginx_that_is() -> None:
    assert rows(Cell([90.0, 30.0, 31.0])) == ["small GET (us per request)", "20.0", "31.0 (1.55x)", "2.5x nginx: met"]


def test_large_numbers_are_shown_without_decimals() -> None:
    assert rows(Cell([12345.6]), Cell([1000.0]))[1:3] == ["1,000", "12,346 (12.35x)"]


def test_a_budget_that_is_reached_exactly_is_met() -> None:
    assert rows(Cell([50.0]))[3] == "2.5x nginx: met"


def test_a_budget_that_is_exceeded_is_not_met() -> None:
    assert rows(Cell([50.1]))[3] == "2.5x nginx: not met"


def test_a_row_without_a_budget_has_no_verdict() -> None:
    assert rows(Cell([50.0]), row=IDLE)[3] == ""


def test_a_failed_run_shows_its_failure_instead_of_a_number_and_meets_nothing() -> None:
    shown = rows(Cell([0.1, 0.1], failure="Non-2xx or 3xx responses: 12"))
    assert shown[2].startswith("Non-2xx")
    assert "0.1" not in shown[2]
    assert shown[3] == "2.5x nginx"


def test_a_failed_yardstick_leaves_numbers_without_ratios_and_meets_nothing() -> None:
    shown = rows(Cell([30.0]), Cell([0.0], failure="Socket errors: read 1"))
    assert shown[2] == "30.0"
    assert shown[3] == "2.5x nginx"


def test_a_peer_that_was_not_measured_is_missing_and_not_free() -> None:
    line = render([GET], {"get": {"nginx": Cell([20.0])}}, PEERS, markdown=True).splitlines()[2]
    assert line.split("|")[3].strip() == "missing"


def test_the_columns_of_the_plain_table_stand_below_each_other() -> None:
    table = {
        "get": {"nginx": Cell([20.0]), "devproxy": Cell([30.0])},
        "idle": {"nginx": Cell([2.0]), "devproxy": Cell([5000.0])},
    }
    header, first, second = render([GET, IDLE], table, PEERS, markdown=False).splitlines()
    assert header.index("nginx") == first.index("20.0") == second.index("2.0")
    assert header.index("devproxy") == first.index("30.0") == second.index("5,000")


def test_the_markdown_table_has_the_same_columns_in_every_line() -> None:
    table = {"get": {"nginx": Cell([20.0]), "devproxy": Cell([30.0])}}
    lines = render([GET], table, PEERS, markdown=True).splitlines()
    assert {line.count("|") for line in lines} == {5}
    assert set(lines[1]) == {"|", " ", "-"}


def test_the_document_keeps_every_round_beside_its_median_spread_and_ratio() -> None:
    table = {"get": {"nginx": Cell([20.0]), "devproxy": Cell([30.0, 24.0, 33.0])}}
    kept = document([GET], table, {"cores": 2})
    assert kept["cores"] == 2
    assert kept["rows"]["get"]["peers"]["devproxy"] == {
        "median": 30.0,
        "ratio_to_nginx": 1.5,
        "spread": 0.3,
        "rounds": [30.0, 24.0, 33.0],
        "failure": "",
        "not_measured": "",
    }


def test_a_failure_is_kept_without_a_median() -> None:
    table = {"get": {"nginx": Cell([20.0]), "devproxy": Cell([0.1], failure="the echo differs from the message")}}
    kept = document([GET], table, {})["rows"]["get"]["peers"]["devproxy"]
    assert kept["median"] is None
    assert kept["ratio_to_nginx"] is None
    assert kept["failure"] == "the echo differs from the message"


def test_the_document_can_be_written_as_json() -> None:
    kept = document([GET], {"get": {"nginx": Cell(), "devproxy": Cell([30.0])}}, {"python": "3.11"})
    assert json.loads(json.dumps(kept)) == kept


def test_every_bound_of_a_row_has_its_verdict() -> None:
    row = Row("get", "small GET", "us per request", (Bound(1.8), Bound(1 / 4, "caddy"), Bound(25, unit="us")))
    table = {"get": {"nginx": Cell([20.0]), "caddy": Cell([100.0]), "devproxy": Cell([30.0])}}
    line = render([row], table, ("nginx", "caddy", "devproxy"), markdown=False).splitlines()[1]
    assert line.endswith("1.8x nginx: met; 1/4 of caddy: not met (0.3); 25 us: not met")


def test_a_peer_that_lacks_the_job_is_not_available_and_the_reason_stands_below_once() -> None:
    lacks = Cell(lacks="no page is loaded through it")
    table = {key: {"nginx": Cell([20.0]), "devproxy": Cell([30.0]), "vite": lacks} for key in ("get", "idle")}
    shown = render([GET, IDLE], table, ("nginx", "vite", "devproxy"), markdown=False).splitlines()
    assert shown[1].split()[6:8] == ["n/a", "30.0"]
    assert shown[3:] == ["", "n/a: vite: no page is loaded through it"]


def test_devproxy_against_itself_shows_how_much_more_it_is() -> None:
    row = Row("log", "log", "us per request", (Bound(1.15, PLAIN),))
    table = {"log": {PLAIN: Cell([20.0, 30.0, 25.0]), "devproxy": Cell([22.0, 33.0, 40.0])}}
    line = render([row], table, ("devproxy",), markdown=True).splitlines()[2]
    assert [column.strip() for column in line.split("|")[2:4]] == ["33.0 (plain 25.0)", "+15 %: met (+10.0 %)"]


def test_the_document_keeps_each_bound_with_what_was_measured_against_it() -> None:
    table = {"get": {"nginx": Cell([20.0]), "devproxy": Cell([60.0])}}
    row = document([GET], table, {})["rows"]["get"]
    assert row["bounds"] == [{"bound": "2.5x nginx", "most": 2.5, "of": "nginx", "measured": 3.0, "met": False}]
    assert (row["title"], row["unit"]) == ("small GET", "us per request")


def of_run(devproxy: float, nginx: float = 20.0, *, failure: str = "") -> Table:
    return {"get": {"nginx": Cell([nginx]), "devproxy": Cell([devproxy], failure)}}


def test_of_several_runs_a_row_is_that_of_the_run_in_the_middle_by_its_ratio() -> None:
    runs = middle([GET], [of_run(60.0), of_run(80.0, 40.0), of_run(25.0, 10.0)])
    line = render([GET], runs.table, PEERS, markdown=True, runs=runs).splitlines()[2]
    assert [column.strip() for column in line.strip("|").split("|")][1:] == [
        "10.0",
        "25.0 (2.50x)",
        "2.5x nginx: met; 2 to 3 in 3 runs",
    ]


def test_a_row_that_failed_in_one_of_several_runs_has_failed() -> None:
    runs = middle([GET], [of_run(30.0), of_run(31.0), of_run(0.1, failure="Socket errors: read 1")])
    line = render([GET], runs.table, PEERS, markdown=False, runs=runs).splitlines()[1]
    assert line.endswith("Socket errors: read 1  2.5x nginx")


def test_a_row_that_not_every_run_has_is_left_out_of_all_of_them() -> None:
    assert middle([GET, IDLE], [of_run(30.0), {**of_run(31.0), "idle": {"devproxy": Cell([5.0])}}]).table.keys() == {
        "get"
    }


def test_a_bound_by_another_row_is_judged_within_the_run_that_the_row_is_of() -> None:
    again = Row("again", "again", "us per request")
    get = Row("get", "small GET", "us per request", (Bound(1.25, row="again"),))
    tables = [
        {"get": {"devproxy": Cell([mine])}, "again": {"devproxy": Cell([other])}}
        for mine, other in ((20, 20), (60, 50), (60, 30))
    ]
    runs = middle([get, again], tables)
    line = render([get, again], runs.table, ["devproxy"], markdown=False, runs=runs).splitlines()[1]
    assert line.endswith("1.25x again: met (1.2); 1 to 2 in 3 runs")


def test_a_table_is_read_from_its_document_as_it_was() -> None:
    table = {"get": {"nginx": Cell([20.0, 21.0]), "devproxy": Cell([30.0], "broken"), "vite": Cell(lacks="no page")}}
    assert cells_of(json.loads(json.dumps(document([GET], table, {})))) == table
