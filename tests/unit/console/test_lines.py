"""What a person reads: one line for each thing that happened, at every width."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from time import mktime

import pytest
from devproxy.config import from_arguments
from devproxy.config.model import Config
from devproxy.console.folding import QUIET_S, Folding
from devproxy.console.lines import MAX_ASKED, MAX_HELD, PROBE_WAIT_S, HumanLines, QuietLines
from devproxy.console.style import ASCII_GLYPHS, Glyphs, Style
from devproxy.console.text import columns
from devproxy.events import (
    ConfigApplied,
    ConfigMissing,
    ConfigRejected,
    DescriptorShortage,
    Event,
    ExchangeFinished,
    Outcome,
    Ready,
    RequestsWaiting,
    Stopped,
    Stopping,
    Trouble,
    TunnelClosed,
    TunnelOpened,
    UpstreamState,
)
from tests.support.ends import lines_of

AT = mktime((2026, 11, 21, 12, 1, 7, 0, 0, -1))
CONFIG = from_arguments(frontend="5173", backend="3001", backend_paths=[], listen=["8080"])
BACKEND, FRONTEND = "http://localhost:3001", "http://localhost:5173"
READY = Ready(("http://localhost:8080/",), 0.0962)
WIDTHS = [40, 60, 80, 100, 140]

EXCHANGE = ExchangeFinished(
    method=b"GET",
    target=b"/socket.io/?EIO=4&transport=polling",
    status=200,
    route="/socket.io/",
    upstream="backend",
    server=BACKEND,
    outcome=Outcome.COMPLETE,
    duration_s=0.012,
    first_byte_s=0.011,
    request_bytes=0,
    response_bytes=118,
    client="127.0.0.1",
)
REFUSED = replace(
    EXCHANGE,
    target=b"/api/items",
    status=502,
    outcome=Outcome.ANSWERED,
    error="upstream-refused",
    detail="[::1]:3001: Connection refused",
)
OPENED = TunnelOpened(7, b"/ws?token=x", "websocket", "/socket.io/", "backend", BACKEND, "127.0.0.1", 0.003)
CLOSED = TunnelClosed(
    7, b"/ws?token=x", "websocket", "/socket.io/", "backend", BACKEND, "127.0.0.1", 192.2, 41, 377, "client", 1000
)


def human(
    width: int | None = 140,
    *,
    style: Style | None = None,
    clock: Callable[[], float] = lambda: 50.0,
    config: Config = CONFIG,
    folding: Folding | None = None,
) -> HumanLines:
    style = style or Style(False, Glyphs())
    return HumanLines(config, version="0.1.0", style=style, width=lambda: width, clock=clock, folding=folding)


def state(upstream: str, is_up: bool, detail: str = "", address: str = "") -> UpstreamState:
    return UpstreamState(upstream, BACKEND if upstream == "backend" else FRONTEND, is_up, address, detail)


def shown(*events: Event, width: int | None = 140, style: Style | None = None) -> list[str]:
    lines = human(width, style=style)
    return [line for event in events for line in lines.lines(AT, event)]


def words(line: str) -> str:
    """Return `line` with every gap as one space."""
    return " ".join(line.split())


# Exchanges


def test_an_exchange_is_one_line_with_all_there_is_to_know() -> None:
    (line,) = shown(EXCHANGE)
    assert words(line) == (
        "12:01:07 GET 200 /socket.io/?EIO=4&transport=polling /socket.io/ → backend 12 ms ↑0 B ↓118 B"
    )


def test_lines_are_aligned_whatever_they_hold() -> None:
    other = replace(EXCHANGE, method=b"OPTIONS", target=b"/", route="/api/", upstream="frontend", duration_s=25.0)
    first, second = shown(EXCHANGE, other)
    for sign in ("→", "↑", "↓"):
        assert first.index(sign) == second.index(sign)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("glyphs", [Glyphs(), ASCII_GLYPHS], ids=["utf-8", "ascii"])
def test_no_line_is_wider_than_the_terminal(width: int, glyphs: Glyphs) -> None:
    long = replace(EXCHANGE, target=b"/" + b"long/" * 100, method=b"PROPPATCH", response_bytes=10**9)
    events: list[Event] = [
        EXCHANGE,
        long,
        replace(long, status=500),
        replace(long, outcome=Outcome.CLIENT_LEFT),
        OPENED,
        CLOSED,
    ]
    lines = shown(*events, width=width, style=Style(False, glyphs))
    assert len(lines) >= len(events)
    assert max(map(columns, lines)) <= width


def test_a_narrow_terminal_keeps_what_says_most() -> None:
    at = {width: words(shown(EXCHANGE, width=width)[0]) for width in WIDTHS}
    assert at[100] == "12:01:07 GET 200 /socket.io/?EIO=4&transport=polling /socket.io/ → backend 12 ms"
    assert at[80] == "12:01:07 GET 200 /socket.io/?EIO=4&transport=polling → backend 12 ms"
    assert at[60] == "12:01:07 GET 200 /socket.io/?EI…nsport=polling 12 ms"
    assert at[40] == "GET 200 /socket.i…=polling 12 ms"


def test_without_a_terminal_nothing_is_cut() -> None:
    target = b"/" + b"long/" * 100
    (line,) = shown(replace(EXCHANGE, target=target), width=None)
    assert target.decode() in line


def test_the_width_is_asked_anew_for_each_event() -> None:
    widths = iter((140, 60))
    lines = HumanLines(CONFIG, version="1", style=Style(False, Glyphs()), width=lambda: next(widths), clock=lambda: 0.0)
    assert "backend" in lines.lines(AT, EXCHANGE)[0]
    assert "backend" not in lines.lines(AT, EXCHANGE)[0]


@pytest.mark.parametrize(
    ("event", "word"),
    [
        (replace(EXCHANGE, status=404), "client error"),
        (replace(EXCHANGE, status=500), "server error"),
        (REFUSED, "devproxy error"),
        (replace(EXCHANGE, outcome=Outcome.CLIENT_LEFT), "client left"),
        (replace(EXCHANGE, outcome=Outcome.UPSTREAM_LOST), "upstream lost"),
        (replace(EXCHANGE, outcome=Outcome.STOPPED), "aborted: devproxy stopped"),
    ],
)
@pytest.mark.parametrize("width", WIDTHS)
def test_what_went_wrong_is_said_in_words_at_every_width(event: ExchangeFinished, word: str, width: int) -> None:
    assert word in "\n".join(shown(event, width=width))


@pytest.mark.parametrize("status", [200, 204, 304])
def test_what_went_well_has_no_word(status: int) -> None:
    assert not re.search("error|refused|left|lost|aborted", shown(replace(EXCHANGE, status=status))[0])


def test_what_went_wrong_has_another_colour_than_what_went_well() -> None:
    def colour_of_status(status: int) -> str:
        found = re.search(r"\x1b\[([0-9;]+)m" + str(status), shown(replace(EXCHANGE, status=status), style=coloured)[0])
        assert found
        return found[1]

    coloured = Style(True, Glyphs())
    assert len({colour_of_status(status) for status in (200, 304, 404, 500)}) == 4


def test_colour_changes_nothing_but_colour() -> None:
    events: list[Event] = [
        EXCHANGE,
        REFUSED,
        OPENED,
        CLOSED,
        Trouble("a", "b"),
        state("backend", False),
        Stopping(1, 1, 3.0),
    ]
    coloured = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in shown(*events, style=Style(True, Glyphs()))]
    assert coloured == shown(*events)


def test_an_error_made_here_says_its_code_and_what_happened_below() -> None:
    _, more = shown(REFUSED)
    assert more.strip() == "upstream-refused: [::1]:3001: Connection refused"


def test_a_request_that_was_none_still_has_its_line() -> None:
    broken = replace(
        REFUSED, method=b"", target=b"", route="", upstream="", status=400, error="bad-request", detail="bare LF"
    )
    line, more = shown(broken)
    assert words(line).startswith("12:01:07 - 400 - refused by devproxy - → devproxy")
    assert more.strip() == "bad-request: bare LF"


def test_an_exchange_without_a_status_shows_none() -> None:
    line = shown(replace(EXCHANGE, status=0, outcome=Outcome.CLIENT_LEFT))[0]
    assert words(line).startswith("12:01:07 GET - /socket.io/")


@pytest.mark.parametrize("width", [None, *WIDTHS])
def test_nothing_that_strangers_sent_reaches_the_terminal_unescaped(width: int | None) -> None:
    evil = "\x1b]0;owned\x07\r\x9b2J\u202e\n"
    octets = evil.encode()
    events: list[Event] = [
        replace(REFUSED, method=octets, target=octets, route=evil, upstream=evil, error=evil, detail=evil),
        replace(OPENED, target=octets, protocol=evil, route=evil, upstream=evil),
        replace(CLOSED, target=octets, protocol=evil, route=evil, upstream=evil, closed_by=evil),
        UpstreamState(evil, evil, True, evil, evil),
        UpstreamState(evil, evil, False, evil, evil),
        Trouble(evil, evil),
    ]
    lines = shown(*events, width=width)
    assert lines
    assert all(line.isprintable() for line in lines)


def test_a_secret_in_the_query_is_masked() -> None:
    line = shown(replace(EXCHANGE, target=b"/a?token=hunter2&x=1"))[0]
    assert "hunter2" not in line
    assert "/a?token=…&x=1" in line


def test_a_secret_is_masked_in_ascii_too() -> None:
    line = shown(replace(EXCHANGE, target=b"/a?token=hunter2"), OPENED, style=Style(False, ASCII_GLYPHS))
    assert "/a?token=..." in line[0]
    assert all(text.isascii() for text in line)


# Folds

MODULE = replace(EXCHANGE, target=b"/src/a.js?token=x", route="/", upstream="frontend", destination=b"script")
POLL = replace(EXCHANGE, target=b"/socket.io/?EIO=4&transport=polling&sid=abc")


def folded(*events: Event, width: int | None = 80, style: Style | None = None) -> tuple[list[str], list[str]]:
    """Return the lines that `events` give, and those that come at the end of it all."""
    lines = human(width, style=style, folding=Folding())
    return [line for event in events for line in lines_of(lines, AT, event)], lines.flush()


def test_files_that_a_page_consists_of_share_a_line() -> None:
    lines, (line,) = folded(*[MODULE] * 1996)
    assert lines == []
    assert words(line) == "12:01:07 GET 200 ×1,996 files → frontend 12 ms"


def test_a_line_that_is_shared_is_aligned_with_the_others() -> None:
    (own,), (shared,) = folded(EXCHANGE, *[MODULE] * 2, width=120)
    for sign in ("200", "→", "↑", "↓"):
        assert own.index(sign) == shared.index(sign)


def test_what_is_alone_has_the_line_it_would_have_anyway() -> None:
    _, (line,) = folded(MODULE, width=140)
    assert line == shown(MODULE, width=140)[0]


def test_a_line_that_is_shared_says_how_many_of_which_kind_the_most_first() -> None:
    _, (line,) = folded(MODULE, *[replace(MODULE, status=304)] * 3, replace(MODULE, status=206))
    assert words(line).startswith("12:01:07 GET 304 ×3 files, 200 ×1, 206 ×1 → frontend")
    _, (line,) = folded(*[POLL] * 3, replace(POLL, method=b"POST"), replace(POLL, method=b"POST", status=204))
    assert words(line).startswith("12:01:07 GET 200 ×3 polls, POST ×1, POST 204 ×1 → backend")


def test_of_as_many_polls_as_messages_the_polls_come_first() -> None:
    _, (line,) = folded(replace(POLL, method=b"POST"), POLL)
    assert words(line).startswith("12:01:07 GET 200 ×1 poll, POST ×1 → backend")


def test_in_ascii_too() -> None:
    _, (line,) = folded(*[MODULE] * 2, style=Style(False, ASCII_GLYPHS))
    assert words(line).startswith("12:01:07 GET 200 x2 files -> frontend")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_line_that_is_shared_fits_into_every_terminal(width: int) -> None:
    wide = replace(MODULE, route="/\u65e5\u672c\u8a9e/", upstream="\u524d\u9762")
    many = [replace(wide, status=status) for status in (200, 201, 204, 206, 304)]
    _, (line,) = folded(*many * 99, width=width)
    assert columns(line) <= width
    assert "×99 f" in line


def test_what_failed_has_its_line_at_once_and_the_page_goes_on() -> None:
    lines, (line,) = folded(MODULE, replace(MODULE, status=404), MODULE)
    assert ["404  /src/a.js?token=…  client error" in one for one in lines] == [True]
    assert "×2 files" in line


def test_what_ends_a_fold_stands_below_it() -> None:
    lines, rest = folded(MODULE, MODULE, Trouble("it burns"), MODULE, MODULE, MODULE)
    assert "×2 files" in lines[0]
    assert lines[1:] == ["warning: it burns"]
    assert ["×3 files" in line for line in rest] == [True]


def test_a_fold_comes_by_itself_when_its_time_is_over() -> None:
    now = [50.0]
    lines = human(80, clock=lambda: now[0], folding=Folding())
    assert lines_of(lines, AT, MODULE) == lines_of(lines, AT, MODULE) == []
    assert ["×2 files" in line for line in lines.foot()] == [True]
    assert lines.due() == []
    assert lines.deadline == 50.0 + QUIET_S
    now[0] = lines.deadline
    assert ["×2 files" in line for line in lines.due()] == [True]
    assert lines.foot() == []


def test_files_that_come_before_the_banner_share_a_line_below_it() -> None:
    lines = human(80, folding=Folding())
    for event in (READY, MODULE, MODULE):
        assert lines_of(lines, AT, event) == []
    assert lines.foot() == []
    assert "ready in" in lines.due()[1]
    assert ["×2 files" in line for line in lines.foot()] == [True]


# Tunnels


def test_a_tunnel_has_a_line_when_it_opens_and_one_when_it_is_over() -> None:
    opened, closed = shown(OPENED, CLOSED)
    assert words(opened) == "12:01:07 WS 101 /ws?token=… open #7 /socket.io/ → backend 3.0 ms"
    assert words(closed) == (
        "12:01:07 WS 1000 /ws?token=… closed by client #7 /socket.io/ → backend 3m 12s ↑41 B ↓377 B"
    )


@pytest.mark.parametrize(
    ("closed_by", "expected"),
    [
        ("client", "closed by client #7"),
        ("upstream", "closed by upstream #7"),
        ("devproxy", "closed by devproxy #7"),
        ("idle", "closed: idle timeout #7"),
        ("fault", "reset by fault injection #7"),
    ],
)
def test_the_end_of_a_tunnel_says_who_closed_it(closed_by: str, expected: str) -> None:
    assert expected in shown(replace(CLOSED, closed_by=closed_by))[0]


def test_a_tunnel_that_ends_without_a_close_frame_stands_out() -> None:
    coloured = Style(True, Glyphs())
    lost = shown(replace(CLOSED, close_code=0), style=coloured)[0]
    assert " WS      \x1b[33m-" in lost
    assert "\x1b[33m" not in shown(CLOSED, style=coloured)[0]


def test_a_tunnel_of_another_protocol_is_named_after_it() -> None:
    assert words(shown(replace(OPENED, protocol="h2c"))[0]).startswith("12:01:07 h2c 101")


# The rest of a life


def test_stopping_says_what_it_waits_for_and_how_not_to_wait() -> None:
    assert shown(Stopping(2, 1, 3.0), width=None) == [
        "12:01:07 stopping: waiting for 2 requests, 1 WebSocket (Ctrl-C again to stop now)"
    ]
    assert shown(Stopping(0, 3, 3.0), width=None) == [
        "12:01:07 stopping: waiting for 3 WebSockets (Ctrl-C again to stop now)"
    ]
    assert shown(Stopping(0, 0, 3.0), width=None) == ["12:01:07 stopping"]


def test_in_a_terminal_stopping_begins_below_the_ctrl_c_that_was_typed() -> None:
    assert shown(Stopping(0, 0, 3.0), width=80) == ["", "12:01:07 stopping"]


def test_the_end_says_what_was_cut() -> None:
    assert shown(Stopped(0)) == ["12:01:07 stopped"]
    assert shown(Stopped(1)) == ["12:01:07 stopped; 1 request aborted"]


def test_trouble_comes_with_what_to_do_about_it() -> None:
    assert shown(Trouble("it burns", "use water")) == ["warning: it burns", "help: use water"]
    assert shown(Trouble("it burns")) == ["warning: it burns"]


def test_a_long_warning_is_wrapped_between_words_and_what_to_do_is_not() -> None:
    help = "pour water on it, and then pour more water on it"
    assert shown(Trouble("it burns on every floor of the house", help), width=30) == [
        "warning: it burns on every",
        "         floor of the house",
        f"help: {help}",
    ]


def test_dropped_lines_are_counted_in_words() -> None:
    assert human().dropped(AT, 312) == ["12:01:07 … 312 lines dropped"]


# The banner and the upstreams


def test_the_banner_comes_at_once_when_every_server_is_known() -> None:
    lines = human()
    assert lines.lines(AT, READY) == []
    assert lines.deadline == 50.0 + PROBE_WAIT_S
    assert lines.lines(AT, state("backend", True)) == []
    shown = lines.lines(AT, state("frontend", False, "Connection refused"))
    assert "DEVPROXY v0.1.0  ready in 96 ms" in shown[1]
    assert lines.deadline is None


def test_states_known_before_the_banner_are_not_waited_for() -> None:
    lines = human()
    assert lines.lines(AT, state("backend", True)) == []
    assert lines.lines(AT, state("frontend", True)) == []
    assert "ready in" in lines.lines(AT, READY)[1]


def test_traffic_waits_behind_the_banner_and_keeps_its_order() -> None:
    lines = human()
    lines.lines(AT, READY)
    assert lines.lines(AT, EXCHANGE) == []
    assert lines.lines(AT, REFUSED) == []
    shown = lines.flush()
    assert "ready in" in shown[1]
    assert [line.split()[2] for line in shown if "→ backend" in line] == ["200", "502"]
    assert lines.flush() == []


def test_much_traffic_brings_the_banner_at_once() -> None:
    lines = human()
    lines.lines(AT, READY)
    shown = [line for _ in range(MAX_HELD) for line in lines.lines(AT, EXCHANGE)]
    assert "ready in" in shown[1]
    assert len([line for line in shown if "12 ms" in line]) == MAX_HELD


def test_an_early_stop_brings_the_banner_before_it() -> None:
    lines = human()
    lines.lines(AT, READY)
    shown = lines.lines(AT, Stopping(0, 0, 3.0))
    assert "ready in" in shown[1]
    assert shown[-1].endswith("stopping")


def test_every_change_of_an_upstream_has_one_line_after_the_banner() -> None:
    lines = human()
    for event in (READY, state("backend", True), state("frontend", False)):
        lines.lines(AT, event)
    changes = [state("backend", False, "Connection refused"), state("backend", True, address="[::1]:3001")]
    assert [line for event in changes for line in lines.lines(AT, event)] == [
        "12:01:07 backend http://localhost:3001 stopped answering: Connection refused",
        "12:01:07 backend http://localhost:3001 answers on [::1]:3001",
    ]


def test_a_server_first_known_after_the_banner_has_not_stopped_but_never_answered() -> None:
    lines = human()
    lines.lines(AT, READY)
    lines.flush()
    assert lines.lines(AT, state("backend", False, "timed out")) == [
        "12:01:07 backend http://localhost:3001 does not answer yet: timed out"
    ]


# Quiet


def quiet(*events: Event) -> list[str]:
    lines = QuietLines(human())
    return [line for event in events for line in lines.lines(AT, event)]


def test_quiet_says_nothing_while_all_is_well() -> None:
    well: list[Event] = [READY, state("backend", True), EXCHANGE, OPENED, CLOSED, Stopping(0, 0, 3.0), Stopped(0)]
    assert quiet(*well, replace(EXCHANGE, status=404), replace(EXCHANGE, status=500)) == []


def test_quiet_shows_the_errors_that_are_made_here() -> None:
    lost = replace(EXCHANGE, outcome=Outcome.UPSTREAM_LOST, error="upstream-closed-in-mid-body")
    lines = quiet(REFUSED, lost, Trouble("it burns"))
    assert [line.split()[2] for line in lines if line.startswith("12:")] == ["502", "200"]
    assert lines[-1] == "warning: it burns"


def test_quiet_leaves_out_refusals_that_are_the_clients_doing() -> None:
    assert quiet(replace(REFUSED, status=404, error="no-route")) == []


def test_quiet_shows_upstreams_that_come_and_go_but_not_how_they_were_at_first() -> None:
    changes = [state("backend", True), state("frontend", False), state("backend", False), state("frontend", True)]
    assert quiet(*changes) == [
        "12:01:07 backend http://localhost:3001 stopped answering",
        "12:01:07 frontend http://localhost:5173 answers",
    ]


def test_a_shortage_of_descriptors_is_told_with_what_to_do_and_its_end() -> None:
    begin, end = shown(DescriptorShortage(256, False)), shown(DescriptorShortage(256, True))
    assert begin[0] == "warning: file descriptors are running out (limit 256): new clients wait until others disconnect"
    assert begin[1].startswith("help: raise the limit (`ulimit -n`)")
    assert words(end[0]).endswith("file descriptors are available again: waiting clients are accepted")


APPLIED = ConfigApplied("devproxy.toml", (), 0, 3.0, (), ("/a-very-long-route/",), ("an-upstream",))


def test_columns_are_as_wide_as_the_routes_of_a_new_configuration_need() -> None:
    lines = human()
    (before,) = lines.lines(AT, EXCHANGE)
    lines.lines(AT, APPLIED)
    (after,) = lines.lines(AT, replace(EXCHANGE, route="/a-very-long-route/", upstream="an-upstream"))
    assert "/a-very-long-route/" in after
    assert columns(before) == columns(after)


def test_quiet_says_that_a_file_does_not_load_and_nothing_of_one_that_does() -> None:
    assert quiet(APPLIED) == []
    assert "has 1 problem" in quiet(ConfigRejected("devproxy.toml", 1, "error: what\n"))[0]
    assert "cannot be read" in quiet(ConfigMissing("devproxy.toml", "no such file or directory"))[0]


# -- pages that wait ---------------------------------------------------------------------------------------------------

WAITING = replace(REFUSED, method=b"HEAD", target=b"/", status=503)


@pytest.mark.parametrize("is_quiet", [False, True], ids=["human", "quiet"])
def test_what_a_waiting_page_asks_once_a_second_is_shown_once_until_the_server_comes_or_goes(is_quiet: bool) -> None:
    inner = human()
    shown = QuietLines(inner) if is_quiet else inner
    inner.lines(AT, READY)
    inner.flush()
    shown.lines(AT, state("backend", False))
    assert len(shown.lines(AT, WAITING)) == 2
    assert shown.lines(AT + 1, WAITING) == []
    assert shown.lines(AT + 2, replace(WAITING, target=b"/other")) != [], "another page"
    assert shown.lines(AT + 3, replace(WAITING, upstream="frontend")) != [], "another server"
    for other in (replace(WAITING, method=b"GET"), replace(WAITING, outcome=Outcome.UPSTREAM_LOST)):
        assert shown.lines(AT + 4, other) != [] != shown.lines(AT + 5, other), "no page asks like that"
    shown.lines(AT + 6, state("backend", True))
    shown.lines(AT + 7, state("backend", False))
    assert shown.lines(AT + 8, WAITING) != []
    for number in range(MAX_ASKED + 1):
        assert shown.lines(AT + 9, replace(WAITING, target=b"/%d" % number)) != []


def test_who_waits_is_named_as_long_as_it_is_one() -> None:
    one = RequestsWaiting("backend", 1, 9.7, b"GET", b"/api/items?token=secret")
    assert human().rendered(AT, one) == ["12:01:07 GET /api/items?token=… waits for backend, up to 9.7 s"]
    assert human().rendered(AT, replace(one, count=3)) == ["12:01:07 3 requests wait for backend, up to 9.7 s"]
    assert human().rendered(AT, replace(one, left_s=0.0)) == ["12:01:07 GET /api/items?token=… waits for backend"]
