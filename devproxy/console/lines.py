"""Events -> the lines that a person reads. Start at :class:`HumanLines`; :class:`QuietLines` shows only what is wrong.

No I/O: the clock of deadlines and the terminal's width are passed in. One line for each exchange, aligned, or for those
that share one (:mod:`devproxy.console.folding`); what went wrong is said in a word on that line and, where devproxy
knows more, in a second one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from time import localtime, strftime
from typing import TYPE_CHECKING, Final

from devproxy.config.model import Config
from devproxy.console.banner import banner
from devproxy.console.folding import Fold, Folding
from devproxy.console.layout import Row, Table, layout, wrapped
from devproxy.console.reloads import applied_lines, missing_trouble, rejected_lines
from devproxy.console.secrets import masked
from devproxy.console.style import Style
from devproxy.console.text import columns, counted, duration, shown_target, size
from devproxy.console.writer import End, Lines
from devproxy.events import (
    BodyData,
    Capturing,
    ConfigApplied,
    ConfigMissing,
    ConfigRejected,
    DescriptorShortage,
    Event,
    Evidence,
    ExchangeFinished,
    ExchangeStarted,
    HeadSeen,
    Note,
    Outcome,
    ProgramAnswers,
    ProgramEnded,
    ProgramOutput,
    ProgramStarted,
    Ready,
    RequestSent,
    RequestsWaiting,
    ResponseBegun,
    Stopped,
    Stopping,
    Trouble,
    TunnelClosed,
    TunnelData,
    TunnelOpened,
    UpstreamState,
    finished_of,
    is_failure,
)
from devproxy.routing.table import label
from devproxy.text.safe import visible

if TYPE_CHECKING:
    from devproxy.console.programs import ProgramLines

PROBE_WAIT_S: Final = 0.2
"""How long the banner waits for the first state of every server."""

MAX_HELD: Final = 1000
"""Events held back until the banner is shown; with more of them it is shown at once."""

MAX_ASKED: Final = 64
"""Pages that wait for their server, of which is remembered that they ask."""

_OUTCOME_WORDS: Final = {
    Outcome.CLIENT_LEFT: "client left",
    Outcome.UPSTREAM_LOST: "upstream lost",
    Outcome.STOPPED: "aborted: devproxy stopped",
}
_STATUS_WORDS: Final = ("client error", "server error")
"""Of statuses below 500 and from 500 on: the names of their classes (RFC 9110 section 15)."""
_OWN_WORDS: Final = ("refused by devproxy", "devproxy error")
"""The same where devproxy itself answered."""
_NORMAL_CLOSE_CODES: Final = (1000, 1001, 1005)
"""RFC 6455 section 7.4.1: normal closure, going away (a page that is left), no code given."""

_CLOSED_BY: Final = {"idle": "closed: idle timeout", "fault": "reset by fault injection"}
_HERE: Final = "devproxy"
_NOTHING: Final = "-"


class HumanLines(Lines):
    """Turns events into lines for a terminal. `width` is asked for each event; None: no limit.

    `clock`: the one of ``deadline``, in seconds. `folding`: None where each exchange is to have its line.
    """

    batch = 128
    pause_s = 0.06
    """Some two thousand lines a second: a page comes before its lines, and no person reads faster than that.
    Thousands more wait meanwhile."""

    def __init__(
        self,
        config: Config,
        *,
        version: str,
        style: Style,
        width: Callable[[], int | None],
        clock: Callable[[], float],
        folding: Folding | None = None,
    ) -> None:
        self._config = config
        self._version = version
        self._style = style
        self._width = width
        self._clock = clock
        self._folding = folding
        self._servers = {(upstream.name, server.url) for upstream in config.upstreams for server in upstream.servers}
        self._states: dict[tuple[str, str], UpstreamState] = {}
        self.was_up: dict[tuple[str, str], bool] = {}
        """What was last said of each server, by the upstream's name and the server's URL."""
        self._asked: set[int] = set()
        """What pages that wait ask once a second, by upstream and target, as far as it has been shown."""
        self._tables: dict[int | None, Table] = {}
        self._fit([label(route) for route in config.routes], [upstream.name for upstream in config.upstreams])
        self._program_names = [program.name for program in config.programs]
        self._programs: ProgramLines | None = None
        self._ready: Ready | None = None
        self._has_banner = False
        self._held: list[tuple[float, Event | End]] = []
        self._banner_due: float | None = None

    @property
    def deadline(self) -> float | None:
        """When the banner is due, or else the first of the folds; None: nothing is held back."""
        if self._banner_due is not None or self._folding is None:
            return self._banner_due
        return self._folding.deadline

    def lines(self, at: float, event: Event) -> list[str]:
        """Return the lines that `event` gives now: none while the banner waits to learn which servers answer."""
        if isinstance(event, Ready):
            self._ready = event
            self._banner_due = self._clock() + PROBE_WAIT_S
            return self._banner_if_known()
        if isinstance(event, UpstreamState):
            self._states[event.upstream, event.server] = event
            if not self._has_banner:
                return self._banner_if_known()
        if self._banner_due is not None:
            self._held.append((at, event))
            return self._banner() if len(self._held) >= MAX_HELD or isinstance(event, Stopping | Stopped) else []
        return self._on_its_own(at, event)

    def ended(self, at: float, end: End) -> list[str]:
        """Return the lines that the end of an exchange gives now; most are counted in a fold."""
        if self._banner_due is not None:
            self._held.append((at, end))
            return self._banner() if len(self._held) >= MAX_HELD else []
        return self._counted(at, end)

    def due(self) -> list[str]:
        """Return the banner and what came meanwhile, or the folds that are over."""
        if self._banner_due is not None:
            return self._banner()
        return [] if self._folding is None else self._fold_lines(self._folding.due(self._clock()))

    def flush(self) -> list[str]:
        """Return the banner, if it waits, what came meanwhile, and all folds."""
        lines = self._banner()
        return lines if self._folding is None else [*lines, *self._fold_lines(self._folding.end())]

    def foot(self) -> list[str]:
        """Return the lines of the folds that go on, as they are now."""
        return [] if self._folding is None else self._fold_lines(self._folding.open)

    def _banner(self) -> list[str]:
        ready, self._ready, self._banner_due = self._ready, None, None
        held, self._held = self._held, []
        rows: list[str] = []
        if ready is not None:
            self._has_banner = True
            self.was_up = {key: state.is_up for key, state in self._states.items()}
            rows += banner(
                self._config, ready, self._states, version=self._version, style=self._style, width=self._width()
            )
        for at, one in held:
            rows += self._counted(at, one) if isinstance(one, tuple) else self._on_its_own(at, one)
        return rows

    def _counted(self, at: float, end: End) -> list[str]:
        """Count `end` in a fold and return the lines of those that are over, or else its own as well."""
        over = None if self._folding is None else self._folding.add(at, end, self._clock())
        if over is None:
            return self._on_its_own(at, finished_of(end))
        return self._fold_lines(over) if over else []

    def _on_its_own(self, at: float, event: Event) -> list[str]:
        """Return the lines of `event`, below those of the folds that are over."""
        lines = self.rendered(at, event)
        if self._folding is None or not lines:
            return lines
        return [*self._fold_lines(self._folding.interrupt(event, self._clock())), *lines]

    def _fold_lines(self, folds: list[Fold]) -> list[str]:
        return [line for fold in folds for line in self._laid_out(fold_row(fold, self._style))]

    def dropped(self, at: float, count: int) -> list[str]:
        """Return the line that says how many are missing here."""
        return [f"{_clock_time(at)} {self._style.yellow(dropped_words(count, self._style))}"]

    def rendered(self, at: float, event: Event) -> list[str]:
        """Return the lines for `event` alone, whether or not there has been a banner."""
        style = self._style
        if isinstance(event, ProgramStarted | ProgramOutput | ProgramAnswers | ProgramEnded | Note):
            return self._of_program(at, event)
        match event:
            case ExchangeFinished():
                return [] if self._is_asked_again(event) else self._laid_out(exchange_row(at, event, style))
            case TunnelOpened():
                return self._laid_out(opened_row(at, event, style))
            case TunnelClosed():
                return self._laid_out(closed_row(at, event, style))
            case UpstreamState():
                return self._state_lines(at, event)
            case RequestsWaiting():
                return [f"{_clock_time(at)} {waiting_words(event, style.glyphs.cut)}"]
            case Stopping() | Stopped():
                line = f"{_clock_time(at)} {ending_words(event)}"
                is_after_ctrl_c = isinstance(event, Stopping) and self._width() is not None
                return ["", line] if is_after_ctrl_c else [line]  # the terminal has shown ^C and stayed on that line
            case ConfigApplied():
                self._fit(event.routes, event.upstreams)
                return applied_lines(_clock_time(at), event, style)
            case ConfigRejected():
                return rejected_lines(_clock_time(at), event, style)
            case DescriptorShortage():
                return shortage_lines(at, event, style, self._width())
            case Trouble() | ConfigMissing():
                trouble = event if isinstance(event, Trouble) else missing_trouble(event)
                return trouble_lines(trouble, style, self._width())
            case Ready() | ExchangeStarted() | RequestSent() | ResponseBegun():
                return []
            case HeadSeen() | BodyData() | TunnelData() | Evidence() | Capturing():
                return []

    def _state_lines(self, at: float, event: UpstreamState) -> list[str]:
        was_up = self.was_up.get((event.upstream, event.server))
        self.was_up[event.upstream, event.server] = event.is_up
        self._asked.clear()
        if was_up and event.is_up:
            return []  # its program has said so
        return [f"{_clock_time(at)} {upstream_words(event, was_up, self._style)}"]

    def _of_program(
        self, at: float, event: ProgramStarted | ProgramOutput | ProgramAnswers | ProgramEnded | Note
    ) -> list[str]:
        from devproxy.console.programs import ProgramLines, answers_words, ended_words  # few start programs

        match event:
            case ProgramOutput():
                if self._programs is None:
                    self._programs = ProgramLines(self._program_names, self._style)
                return self._programs.lines(event)
            case ProgramAnswers():
                if event.upstream:
                    self.was_up[event.upstream, event.url] = True
                return [f"{_clock_time(at)} {answers_words(event, self._style)}"]
            case ProgramEnded():
                return [f"{_clock_time(at)} {ended_words(event, self._style)}"]
            case Note():
                return list(event.lines) if event.is_painted else [visible(line) for line in event.lines]
            case ProgramStarted():
                return []

    def _is_asked_again(self, event: ExchangeFinished) -> bool:
        """Tell whether this is what the page that waits for its server asks once a second, and has been shown."""
        if (
            event.method != b"HEAD"
            or event.status != 503
            or event.outcome is not Outcome.ANSWERED
            or not event.upstream
        ):
            return False
        question = hash((event.upstream, event.target))  # a target may be long
        if question in self._asked:
            return True
        if len(self._asked) >= MAX_ASKED:
            self._asked.clear()
        self._asked.add(question)
        return False

    def _fit(self, routes: Iterable[str], upstreams: Iterable[str]) -> None:
        """Make the columns as wide as these labels and names need."""
        self._route_width = max(map(columns, routes), default=1)
        self._upstream_width = max([len(_HERE), *map(columns, upstreams)])
        self._tables.clear()

    def _banner_if_known(self) -> list[str]:
        return self._banner() if self._ready is not None and self._servers <= self._states.keys() else []

    def _laid_out(self, row: Row) -> list[str]:
        width = self._width()
        table = self._tables.get(width)
        if table is None:
            table = Table(layout(width, route=self._route_width, upstream=self._upstream_width), self._style)
            self._tables = {width: table}
        return table.lines(row)


class QuietLines(Lines):
    """Shows only errors made here, lost upstreams, upstreams that come and go after the start, and trouble."""

    batch = 64
    pause_s = 0.002

    def __init__(self, inner: HumanLines) -> None:
        self._inner = inner

    def lines(self, at: float, event: Event) -> list[str]:
        """Return the lines for `event`: usually none."""
        return self._inner.rendered(at, event) if self._is_worth_a_line(event) else []

    def dropped(self, at: float, count: int) -> list[str]:
        """Return the line that says how many are missing here."""
        return self._inner.dropped(at, count)

    def _is_worth_a_line(self, event: Event) -> bool:
        match event:
            case ExchangeFinished():
                return is_failure(event.outcome, event.status, event.advice)
            case UpstreamState():
                before = self._inner.was_up.setdefault((event.upstream, event.server), event.is_up)
                return before is not event.is_up
            case ProgramEnded():
                return event.status != 0
            case _:
                return isinstance(
                    event, Trouble | ConfigRejected | ConfigMissing | DescriptorShortage | ProgramOutput | Note
                )


# Rows


def exchange_row(at: float, event: ExchangeFinished, style: Style) -> Row:
    """Return the row of an exchange: errors of either side are marked by a word and by colour."""
    note = _OUTCOME_WORDS.get(event.outcome, "")
    paint = style.red if note else style.green
    if event.outcome is Outcome.CLIENT_LEFT:
        paint = style.yellow
    elif not note and event.status >= 400:
        paint = style.red if event.status >= 500 else style.yellow
        words = _OWN_WORDS if event.outcome is Outcome.ANSWERED else _STATUS_WORDS
        note = words[event.status >= 500]
    elif 300 <= event.status < 400:
        paint = style.cyan
    return Row(
        time=_clock_time(at),
        method="WS" if event.protocol == "websocket" else visible(event.method.decode("latin-1")) or _NOTHING,
        status=str(event.status) if event.status else _NOTHING,
        target=shown_target(event.target, style.glyphs.cut) or _NOTHING,
        route=visible(event.route) or _NOTHING,
        upstream=visible(event.upstream) or (_HERE if event.outcome is Outcome.ANSWERED else _NOTHING),
        duration=duration(event.duration_s),
        sent=size(event.request_bytes),
        received=size(event.response_bytes),
        paint_status=paint,
        paint_note=paint,
        note=note,
        more=_more(event, style.glyphs.cut) if event.error or event.detail else "",
        below=_below(event, style.glyphs.cut) if event.advice or event.changes else (),
    )


def _more(event: ExchangeFinished, mark: str) -> str:
    return visible(masked(": ".join(part for part in (event.error, event.detail) if part), mark))


def _below(event: ExchangeFinished, mark: str) -> tuple[str, ...]:
    return tuple(visible(masked(line, mark)) for line in (*event.advice, *event.changes))


def fold_row(fold: Fold, style: Style) -> Row:
    """Return the row of exchanges that share one: how many of which kind, from the first's start to the last's end."""
    if fold.count == 1:
        return exchange_row(fold.ended_at, fold.first, style)
    (most, number), *others = sorted(fold.counts.items(), key=lambda item: (-item[1], item[0]))
    method, status = most
    row = exchange_row(fold.ended_at, replace(fold.first, method=method, status=status), style)
    parts = [f"{style.glyphs.times}{number:,} {fold.kind}{'' if number == 1 else 's'}"]
    for (other_method, other_status), number in others:
        words = [other_method.decode("latin-1")] if other_method != method else []
        words += [str(other_status)] if other_status != status else []
        parts.append(" ".join((*words, f"{style.glyphs.times}{number:,}")))
    return replace(
        row,
        target=", ".join(parts),
        duration=duration(fold.ended_at - fold.began_at),
        sent=size(fold.request_bytes),
        received=size(fold.response_bytes),
    )


def opened_row(at: float, event: TunnelOpened, style: Style) -> Row:
    """Return the row of a tunnel that has been opened; its number is that of the row of its end."""
    row = _tunnel_row(
        at, event, style, style.green, status="101", note=f"open #{event.tunnel_id}", sent="", received=""
    )
    return replace(row, below=tuple(visible(masked(line, style.glyphs.cut)) for line in event.advice))


def closed_row(at: float, event: TunnelClosed, style: Style) -> Row:
    """Return the row of a tunnel that is over: how long it was open, what passed, who closed it and how."""
    is_websocket = event.protocol.lower() == "websocket"
    is_normal = event.close_code in _NORMAL_CLOSE_CODES or (not is_websocket and not event.close_code)
    who = _CLOSED_BY.get(event.closed_by, f"closed by {visible(event.closed_by)}")
    return _tunnel_row(
        at,
        event,
        style,
        style.cyan if is_normal else style.yellow,
        status=str(event.close_code) if event.close_code else _NOTHING,
        note=f"{who} #{event.tunnel_id}",
        sent=size(event.sent_bytes),
        received=size(event.received_bytes),
    )


def _tunnel_row(
    at: float,
    event: TunnelOpened | TunnelClosed,
    style: Style,
    paint: Callable[[str], str],
    *,
    status: str,
    note: str,
    sent: str,
    received: str,
) -> Row:
    is_websocket = event.protocol.lower() == "websocket"
    return Row(
        time=_clock_time(at),
        method="WS" if is_websocket else visible(event.protocol),
        status=status,
        target=shown_target(event.target, style.glyphs.cut),
        route=visible(event.route) or _NOTHING,
        upstream=visible(event.upstream) or _NOTHING,
        duration=duration(event.duration_s),
        sent=sent,
        received=received,
        paint_status=paint,
        paint_note=paint,
        note=note,
    )


# Sentences


def upstream_words(state: UpstreamState, was_up: bool | None, style: Style) -> str:
    """Return what has become of a server, in words. `was_up`: what was last said of it; None: nothing yet."""
    who = f"{visible(state.upstream)} {visible(state.server)}"
    if state.is_up:
        on = f" on {visible(state.address)}" if state.address else ""
        return f"{who} {style.green('answers')}{on}"
    what = "stopped answering" if was_up else "does not answer yet" if was_up is None else "still does not answer"
    why = f": {visible(masked(state.detail, style.glyphs.cut))}" if state.detail else ""
    return f"{who} {style.red(what)}{why}"


def waiting_words(event: RequestsWaiting, mark: str) -> str:
    """Return which request waits for which upstream, or how many do, and for how long they go on at most."""
    who, verb = counted(event.count, "request"), "wait"
    if event.count == 1:
        who, verb = f"{visible(event.method.decode('latin-1'))} {shown_target(event.target, mark)}", "waits"
    limit = f", up to {duration(event.left_s)}" if event.left_s else ""
    return f"{who} {verb} for {visible(event.upstream)}{limit}"


def ending_words(event: Stopping | Stopped) -> str:
    """Return that devproxy is stopping and for what it waits, or that it has stopped and what it cut."""
    if isinstance(event, Stopped):
        return f"stopped; {counted(event.cut, 'request')} aborted" if event.cut else "stopped"
    counts = ((event.exchanges, "request"), (event.tunnels, "WebSocket"))
    waiting = ", ".join(counted(number, noun) for number, noun in counts if number)
    return f"stopping: waiting for {waiting} (Ctrl-C again to stop now)" if waiting else "stopping"


def trouble_lines(event: Trouble, style: Style, width: int | None) -> list[str]:
    """Return a warning and, where there is one, a line with what to do about it, whole: it may be meant to be copied.

    `width`: of the terminal in columns; None: no limit.
    """
    label = "warning: "
    first, *more = wrapped(visible(masked(event.what, style.glyphs.cut)), width, len(label)) or [""]
    lines = [f"{style.yellow(label.rstrip())} {first}", *(" " * len(label) + line for line in more)]
    return [*lines, f"{style.cyan('help:')} {visible(event.help)}"] if event.help else lines


def shortage_lines(at: float, event: DescriptorShortage, style: Style, width: int | None) -> list[str]:
    """Return that new clients have to wait for file descriptors, with what to do; or that it is over."""
    if event.is_over:
        return [f"{_clock_time(at)} file descriptors are available again: waiting clients are accepted"]
    what = f"file descriptors are running out (limit {event.limit}): new clients wait until others disconnect"
    advice = "raise the limit (`ulimit -n`), or close pages and clients that keep connections open"
    return trouble_lines(Trouble(what, advice), style, width)


def dropped_words(count: int, style: Style) -> str:
    """Return that `count` events were not shown because the terminal was too slow."""
    return f"{style.glyphs.cut} {counted(count, 'line')} dropped"


def _clock_time(at: float) -> str:
    return _clock_second(int(at))


@lru_cache(maxsize=2)
def _clock_second(second: int) -> str:
    return strftime("%H:%M:%S", localtime(second))
