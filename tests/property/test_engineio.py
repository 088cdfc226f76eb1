"""Properties of what is read from the query of an Engine.IO request, against a reference that goes by the letter."""

from __future__ import annotations

from devproxy.realtime.engineio import OPENS, POLL, kind_of, parse_engine_request
from hypothesis import example, given, settings
from hypothesis import strategies as st

PARAMETERS = st.sampled_from(
    [
        *(b"EIO=4", b"EIO=3", b"EIO=", b"EIO", b"eio=4"),
        *(b"transport=polling", b"transport=websocket", b"transport=", b"transport=webtransport", b"transport"),
        *(b"t=abc.1", b"t=N%2f", b"t", b"sid=one", b"sid=two", b"sid=", b"sid", b"sid=a=b", b"sid=a?b", b"auth=1", b""),
    ]
)
USUAL = st.tuples(
    st.sampled_from([b"EIO=4", b"EIO=3"]),
    st.sampled_from([b"transport=polling", b"transport=websocket"]),
).flatmap(lambda begin: st.lists(PARAMETERS, max_size=3).map(lambda rest: [*begin, *rest]))


def read_by_the_letter(target: bytes) -> tuple[bytes, bytes, bytes] | None:
    found: dict[bytes, bytes] = {}
    for parameter in target.split(b"?", 1)[1].split(b"&") if b"?" in target else []:
        name, _, value = parameter.partition(b"=")
        if name not in found:
            found[name] = value
    if b"EIO" not in found or b"EIO=" not in target:
        return None
    return found[b"EIO"], found.get(b"transport", b""), found.get(b"sid", b"")


@settings(max_examples=1000)
@given(st.sampled_from([b"/socket.io/", b"/", b"/a?b/"]), st.lists(PARAMETERS, max_size=5) | USUAL)
@example(b"/socket.io/", [b"EIO=4", b"transport=polling", b"t=abc.1", b"sid=one"])
@example(b"/socket.io/", [b"EIO=4", b"transport=polling", b"sid", b"sid=one"])
def test_a_query_is_read_the_same_however_usual_it_is(path: bytes, parameters: list[bytes]) -> None:
    target = path + b"?" + b"&".join(parameters)
    read = read_by_the_letter(target)
    assert parse_engine_request(target) == read
    is_poll = read is not None and read[2] != b"" and read[1] in (b"polling", b"")
    assert kind_of(b"GET", target) == (0 if read is None else POLL if is_poll else OPENS)
