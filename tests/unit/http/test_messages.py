"""Messages as values."""

from __future__ import annotations

import pytest
from devproxy.http.fields import Field, Role, make_field, values_of
from devproxy.http.messages import RequestFacts, RequestHead, ResponseFacts, ResponseHead

FIELDS = [make_field(b"X-A", b"1"), make_field(b"x-a", b"2"), make_field(b"Set-Cookie", b"c")]


def test_all_fields_of_a_name_are_found_in_order() -> None:
    assert values_of(FIELDS, b"x-a") == [b"1", b"2"]
    assert values_of(FIELDS, b"set-cookie") == [b"c"]
    assert values_of(FIELDS, b"x-b") == []


def test_heads_find_their_fields_by_name() -> None:
    block = b"\r\n".join((b"", *[field.line for field in FIELDS]))
    request = RequestHead(b"GET", b"/", b"/", block, RequestFacts())
    response = ResponseHead(block, ResponseFacts(), 0)
    assert request.first(b"x-a") == response.first(b"x-a") == b"1"
    assert request.first(b"x-b") is response.first(b"x-b") is None


def test_a_field_cannot_be_changed_since_it_is_shared_by_all_heads_that_have_it() -> None:
    with pytest.raises(AttributeError):
        FIELDS[0].value = b"2"  # type: ignore[misc]


def test_a_field_crosses_the_gateway_unless_its_role_says_otherwise() -> None:
    assert Field(b"X: y", b"x", b"y").role == Role.END_TO_END
    assert not Role.END_TO_END
    assert all(role for role in Role if role is not Role.END_TO_END)
