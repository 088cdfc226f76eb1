"""Errors carry data; what a person reads is composed from it elsewhere."""

from __future__ import annotations

import pytest
from devproxy.errors import BadMessage, BindError, DevproxyError, UpstreamError, UpstreamFault

ERRORS = [
    BadMessage("the Host is missing", status=400, source="RFC 9112 section 3.2"),
    UpstreamError(UpstreamFault.REFUSED, "http://localhost:3001", "refused", (("127.0.0.1:3001", "refused"),)),
    BindError("localhost:8080", "in use", "node (pid 1)"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_error_is_caught_as_a_devproxy_error(error: DevproxyError) -> None:
    with pytest.raises(DevproxyError):
        raise error


def test_the_text_of_an_error_says_what_its_data_says() -> None:
    assert [str(error) for error in ERRORS] == [
        "the Host is missing",
        "upstream-refused: http://localhost:3001: refused",
        "cannot listen on localhost:8080: in use by node (pid 1)",
    ]


def test_a_bad_message_is_answered_with_400_unless_it_says_otherwise() -> None:
    assert BadMessage("x").status == 400
    assert BadMessage("x", status=431).status == 431


NOT_OF_A_SERVER = {UpstreamFault.NO_DESCRIPTOR, UpstreamFault.RECORDING, UpstreamFault.NOT_RECORDED}
"""Faults without a server that could be at fault."""


def test_the_faults_of_upstreams_are_distinct_field_values() -> None:
    values = [fault.value for fault in UpstreamFault]
    assert len(set(values)) == len(values)
    for value in values:
        assert value.startswith("upstream-") or value in NOT_OF_A_SERVER
        assert value.replace("-", "").isalpha()
        assert value == value.lower()
