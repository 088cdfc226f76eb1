"""Which names a certificate carries, and which may be signed."""

from __future__ import annotations

import pytest
from devproxy import config
from devproxy.certificates.names import MACHINE, ServedNames, may_sign, names_for, served_names, unsigned
from hypothesis import given
from hypothesis import strategies as st

TOML = """\
[server]
listen = ["localhost:8080", "192.168.1.20:8080", "dev.local:8080", ":9000"]
allowed_hosts = ["App.Test", ".ngrok.example", "10.0.0.7", "[fd00::1]"]

[upstreams]
web = "http://localhost:5173"

[[routes]]
path = "/"
upstream = "web"

[[routes]]
path = "/"
match_host = ["api.test", "*.tenants.test"]
upstream = "web"
"""


def test_the_machine_s_certificate_has_the_addresses_and_further_names_get_their_own() -> None:
    served = served_names(
        config.load(TOML.encode(), source="devproxy.toml"), ["2001:db8::5", "::", "0.0.0.0", "no address"]
    )
    assert set(served.machine) == {*MACHINE, "2001:db8::5", "192.168.1.20", "10.0.0.7", "fd00::1"}
    assert served.names == {"app.test", "ngrok.example", "api.test", "tenants.test", "dev.local"}
    assert not served.takes_any


def test_a_star_among_the_allowed_hosts_takes_any_name() -> None:
    text = TOML.replace('"App.Test", ".ngrok.example", "10.0.0.7", "[fd00::1]"', '"*"')
    assert served_names(config.load(text.encode(), source="devproxy.toml")).takes_any


SERVED = ServedNames(names=frozenset(("app.test", "dev.example.com", "test", "devbox")))
APP, BOTH = ("app.test", "*.app.test"), ("x.localhost", "*.x.localhost")


@pytest.mark.parametrize(
    ("asked", "names"),
    {
        "of the machine": ("localhost", ()),
        "an address": ("127.0.0.1", ()),
        "nothing": ("", ()),
        "a stranger": ("example.org", ()),
        "no name": ("a b", ()),
        "a name of the configuration": ("app.test", APP),
        "in capitals, with a final dot": ("APP.test.", APP),
        "below it": ("www.app.test", APP),
        "two below": ("a.www.app.test", ("www.app.test", "*.www.app.test")),
        "a public name": ("dev.example.com", ("dev.example.com", "*.dev.example.com")),
        "beside it": ("www.example.com", ()),
        "a single label": ("devbox", ("devbox",)),
        "below a single label": ("shop.test", ("shop.test", "*.shop.test")),
        "below localhost": ("x.localhost", BOTH),
        "two below localhost": ("y.x.localhost", BOTH),
    }.values(),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_name_gets_the_certificate_that_is_due_to_it(asked: str, names: tuple[str, ...]) -> None:
    assert names_for(asked, SERVED) == names


@given(
    st.lists(st.sampled_from(["a", "b", "localhost", "test", "app", "xn--bcher-kva", "my_app"]), min_size=1, max_size=5)
)
def test_no_wildcard_stands_below_a_single_label_and_the_name_asked_for_is_covered(labels: list[str]) -> None:
    asked = ".".join(labels)
    names = names_for(asked, SERVED._replace(takes_any=True))
    assert asked == "localhost" if not names else {asked, f"*.{asked.partition('.')[2]}"} & set(names)
    assert all("." in name[2:] for name in names if name.startswith("*."))


@pytest.mark.parametrize(
    ("name", "is_due"),
    [
        ("localhost", True),
        ("*.x.localhost", True),
        ("app.test", True),
        ("nas.home.arpa", True),
        ("arpa", False),
        ("latest", False),
        ("app.example.com", True),
        ("example.org", False),
        ("devbox", False),
        ("127.8.9.1", True),
        ("192.168.1.20", True),
        ("::1", True),
        ("fd00::1", True),
        ("8.8.8.8", False),
        ("203.0.113.5", True),
    ],
)
def test_what_is_of_this_machine_or_of_private_use_or_allowed_may_be_signed(name: str, is_due: bool) -> None:
    assert may_sign(name, ("example.com", "203.0.113.5")) is is_due


def test_a_name_that_may_not_be_signed_is_told_once_with_its_line_and_what_to_type() -> None:
    text = TOML.replace('match_host = ["api.test"', 'match_host = ["www.ngrok.example", "ngrok.example"')
    notices = unsigned(config.load(text.encode(), source="devproxy.toml"), ())
    assert [str(notice).partition(": browsers")[0] for notice in notices] == ["devproxy.toml:3", "devproxy.toml:14"]
    assert "devproxy trust --allow ngrok.example --install" in notices[0].sentence
    assert not unsigned(config.load(text.encode(), source="devproxy.toml"), ("ngrok.example",))
