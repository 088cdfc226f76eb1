"""How careless servers read paths."""

from __future__ import annotations

import pytest
from devproxy.policy.readings import MAX_READINGS, careless_readers


def readings(path: bytes) -> set[bytes]:
    """Return every other reading of `path`."""
    readers = careless_readers(path)
    assert readers is not None
    return {reader(path) for reader in readers}


@pytest.mark.parametrize(
    ("path", "read"),
    [
        (b"/hooks/..%2fadmin", b"/admin"),
        (b"/hooks/..%2Fadmin", b"/admin"),
        (b"/hooks/%2e%2E%2fadmin", b"/admin"),
        (b"/hooks%2f..%2fadmin", b"/admin"),
        (b"/hooks/..%5cadmin", b"/admin"),
        (b"/hooks/..%5Cadmin", b"/admin"),
        (b"/hooks/..\\admin", b"/admin"),
        (b"/hooks/..;/admin", b"/admin"),
        (b"/hooks/..;jsessionid=1/admin", b"/admin"),
        (b"/hooks/%2e.;x/admin", b"/admin"),
        (b"/hooks/.;/..;/admin", b"/admin"),
        (b"/hooks/;/../admin", b"/admin"),
        (b"/hooks/;x=1/..;/admin", b"/admin"),
        (b"/;x/hooks", b"//hooks"),
        (b"/hooks/%c0%ae%c0%ae/admin", b"/admin"),
        (b"/hooks/..%C0%AFadmin", b"/admin"),
        (b"/hooks/..\xc0\xafadmin", b"/admin"),
        (b"/hooks/..%c1%9cadmin", b"/admin"),
        (b"/hooks/..%e0%80%afadmin", b"/admin"),
        (b"/hooks/..%f0%80%80%afadmin", b"/admin"),
        (b"/hooks/..%f0%80%81%9cadmin", b"/admin"),
        (b"/hooks/..%u002fadmin", b"/admin"),
        (b"/hooks/%u002e%U002E/admin", b"/admin"),
        (b"/hooks/..%u005Cadmin", b"/admin"),
        (b"/hooks/..%3B/admin", b"/admin"),
        (b"/hooks/%2e%2e%3bx=1%2fadmin", b"/admin"),
        (b"/hooks/x//../../admin", b"/hooks/admin"),
        (b"/hooks//../admin", b"/hooks/admin"),
        (b"/hooks/..%2f", b"/"),
        (b"/hooks/a/..%2f", b"/hooks/"),
        (b"/hooks/..%2f..%2f..%2fadmin", b"/admin"),
        (b"/projects/group%2Fname", b"/projects/group/name"),
        (b"/%2e%2e%2fadmin", b"/admin"),
        (b"/hooks/..;%2fadmin", b"/admin"),
        (b"/hooks/..%2f;/admin", b"/admin"),
    ],
)
def test_a_careless_server_decodes_once_takes_backslashes_for_slashes_and_cuts_parameters(
    path: bytes, read: bytes
) -> None:
    assert read in readings(path)


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"*",
        b"/a/b.js",
        b"/a/../b",
        b"/a/%2e%2e/b",
        b"/a/.../b",
        b"/a/..x/b",
        b"/a;b=1/c;d",
        b"/caf%C3%A9/%E2%82%AC",
        b"/a%20b",
        b"/a%252f..%252fb",
        b"/a%00/b%09",
        b"/%25%32%66",
        b"/%%32f",
        b"/a//b",
    ],
)
def test_everybody_reads_this_alike(path: bytes) -> None:
    assert readings(path) <= {path}


@pytest.mark.parametrize(
    ("path", "others"),
    [
        # Who decodes only one of them ends somewhere else than who decodes both.
        (b"/hooks/..%2fadmin/..%5chooks", {b"/hooks", b"/admin/..%5chooks", b"/hooks/..%2fadmin/..%5chooks"}),
        (b"/hooks/..;/admin/..%2fhooks", {b"/hooks"}),
    ],
)
def test_a_path_with_two_peculiarities_has_a_reading_for_whoever_knows_one(path: bytes, others: set[bytes]) -> None:
    assert others & readings(path) == others - {path}
    assert b"/admin/..%5chooks" in readings(b"/hooks/..%2fadmin/..%5chooks")


def test_more_spellings_than_any_program_mixes_are_not_compared() -> None:
    assert careless_readers(b"/a%2f..%5c..;x//..%c0%af") is None
    readers = careless_readers(b"/a%2f..%5c..//..;")
    assert readers is not None
    assert len(readers) < MAX_READINGS
