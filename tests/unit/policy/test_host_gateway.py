from __future__ import annotations

import pytest
from devproxy.policy.host_gateway import advice_on_host


@pytest.mark.parametrize("name", ["host.docker.internal", "HOST.docker.internal.", "host.containers.internal"], ids=str)
def test_a_name_that_is_not_there_has_to_be_given(name: str) -> None:
    given = name.lower().removesuffix(".")
    assert f'`extra_hosts: ["{given}:host-gateway"]`' in advice_on_host(name, is_known=False)


def test_a_server_outside_has_to_listen_for_containers() -> None:
    assert "vite --host" in advice_on_host("host.docker.internal", is_known=True)


@pytest.mark.parametrize("name", ["localhost", "backend", "x.host.docker.internal", ""], ids=repr)
def test_other_names_have_other_reasons(name: str) -> None:
    assert advice_on_host(name, is_known=False) == advice_on_host(name, is_known=True) == ""
