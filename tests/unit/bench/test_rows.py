"""The rows fit together: who does them, who does not and why, and by what they are bounded."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.bounds import EVERY_PEER
from bench.peers import CONFIG, PEERS, RELOADING, VERSION_FIELD, WITH_50_ROUTES, Peer, Ports
from bench.rows import QUICK, ROWS, WORKS, Work
from devproxy import config

PORTS = Ports(listen=20001, files=20002, streams=20003)

every_work = pytest.mark.parametrize("work", WORKS, ids=lambda work: work.key)


def test_no_two_rows_have_the_same_key_or_the_same_title() -> None:
    assert len({row.key for row in ROWS}) == len({row.title for row in ROWS}) == len(ROWS)


def test_the_main_rows_are_rows() -> None:
    assert set(QUICK) <= {row.key for row in ROWS}


@every_work
def test_every_peer_does_a_row_or_lacks_it_for_a_reason(work: Work) -> None:
    for peer in PEERS:
        assert (peer.name in work.columns) != bool(work.lacks.get(peer.name)), peer.name


@every_work
def test_what_a_row_is_bounded_by_is_measured_in_it(work: Work) -> None:
    for row in work.rows:
        for bound in row.bounds:
            assert bound.unit or bound.row or bound.of == EVERY_PEER or bound.of in work.columns, str(bound)
            assert not bound.row or bound.row in {other.key for other in ROWS}


@pytest.mark.parametrize("peer", [WITH_50_ROUTES, RELOADING], ids=lambda peer: peer.name)
def test_fifty_routes_are_fifty(peer: Peer, tmp_path: Path) -> None:
    peer.command(tmp_path, PORTS)
    assert len(config.load((tmp_path / CONFIG).read_bytes(), source=CONFIG).routes) == 50


def test_only_the_file_that_is_written_anew_says_its_version_in_answers(tmp_path: Path) -> None:
    WITH_50_ROUTES.command(tmp_path, PORTS)
    assert VERSION_FIELD not in (tmp_path / CONFIG).read_text()
    RELOADING.command(tmp_path, PORTS)
    assert f'{VERSION_FIELD} = "0"' in (tmp_path / CONFIG).read_text()
