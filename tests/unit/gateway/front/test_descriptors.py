"""How many descriptors are kept for upstreams, and when new clients have to wait."""

from __future__ import annotations

import pytest
from devproxy.gateway.front.descriptors import MAX_RESERVE, reserve_of


@pytest.mark.parametrize(
    ("limit", "reserve"),
    [(32, 16), (64, 32), (128, 32), (256, 64), (1024, 256), (4096, MAX_RESERVE), (65536, MAX_RESERVE)],
)
def test_a_quarter_of_the_descriptors_is_kept_for_servers_within_bounds(limit: int, reserve: int) -> None:
    assert reserve_of(limit) == reserve
