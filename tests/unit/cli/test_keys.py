"""What is typed, as keys."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from devproxy.cli.keys import CLEAR, Deeds, Keys, help_lines, pressed
from devproxy.events import Event, Note

TYPED = {
    b"h": ["h"],
    b"?": ["h"],
    b"OIRUCQ": ["o", "i", "r", "u", "c", "q"],
    b"\x0c": ["c"],
    b"\r\n": ["\n", "\n"],
    b"xyz\x04\x00\xff": [],
    b"\x1b[A\x1b[1;5C\x1bOP\x1b": [],
    b"\x1bq": [],
    b"\x1b[Cq": ["q"],
}


@pytest.mark.parametrize(("typed", "keys"), TYPED.items(), ids=ascii)
def test_keys_are_read_from_what_is_typed(typed: bytes, keys: list[str]) -> None:
    assert pressed(typed) == keys


class Board:
    """Keys with deeds that are written down."""

    def __init__(self, *, reload: bool = True, inspector: str = "") -> None:
        self.now = 0.0
        self.done: list[str] = []
        self.told: list[Event] = []
        deeds = Deeds(
            page=lambda: "http://localhost:1/",
            inspector=lambda: inspector,
            reload=self._note("reload") if reload else None,
            start_again=self._note("start again"),
            overview=lambda: ["\x1b[1mall\x1b[0m"],
            quit=self._note("quit"),
        )
        self.keys = Keys(deeds, self.told.append, lambda: self.now)

    def _note(self, what: str) -> Callable[[], None]:
        return lambda: self.done.append(what)


def test_help_names_every_key() -> None:
    board = Board()
    board.keys.press(b"h")
    [note] = board.told
    assert isinstance(note, Note)
    assert note.lines == help_lines()
    assert [line.split()[0] for line in note.lines if line.startswith("  ")] == [*"hoirucq", "Ctrl-C"]


def test_r_reads_the_file_again_and_starts_what_has_ended() -> None:
    board = Board()
    board.keys.press(b"r")
    assert board.done == ["start again", "reload"]


def test_without_a_file_r_says_so() -> None:
    board = Board(reload=False)
    board.keys.press(b"r")
    assert board.done == ["start again"]
    assert board.told == [Note(("no file to read again: the command line names the servers",))]


def test_q_quits_and_u_and_c_go_to_the_terminal_as_they_are() -> None:
    board = Board()
    board.keys.press(b"ucq\n")
    assert board.done == ["quit"]
    assert board.told == [Note(("\x1b[1mall\x1b[0m",), is_painted=True), Note((CLEAR,), is_painted=True), Note(("",))]


@pytest.mark.parametrize("pasted", [b"curl -q http://x", b"\x1b[200~q\x1b[201~"], ids=["text", "marked"])
def test_what_is_pasted_is_no_keys(pasted: bytes) -> None:
    board = Board()
    board.keys.press(pasted)
    board.now = 0.2
    board.keys.press(b"qr")  # its end
    assert board.done == []
    assert board.told == [Note(("what was pasted means nothing here: h for help",))]
    board.now = 1.0
    board.keys.press(b"q")
    assert board.done == ["quit"]


def test_a_key_that_is_held_down_is_typed() -> None:
    board = Board()
    board.keys.press(b"\r" * 9)
    assert board.told == [Note(("",))] * 9


def test_i_without_an_inspector_says_so() -> None:
    board = Board()
    board.keys.press(b"i")
    assert board.told == [Note(("there is no inspector: [inspector] enabled is false",))]


async def test_i_shows_the_key_and_opens_the_page_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    async def open_page(url: str) -> str:
        opened.append(url)
        return "there is no display here"

    monkeypatch.setattr("devproxy.platforms.browser.open_page", open_page)
    board = Board(inspector="http://localhost:1/__devproxy/#key=abc")
    board.keys.press(b"i")
    for _ in range(10):
        if len(board.told) == 2:
            break
        await asyncio.sleep(0)
    assert opened == ["http://localhost:1/__devproxy/"]
    assert board.told == [
        Note(("inspector: http://localhost:1/__devproxy/#key=abc",)),
        Note(("open http://localhost:1/__devproxy/ in your browser (there is no display here)",)),
    ]
