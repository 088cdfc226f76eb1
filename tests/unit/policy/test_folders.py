"""Which programs are of another checkout, and what is said of them."""

from __future__ import annotations

import pytest
from devproxy.policy.folders import Place, advice_on_folder

HERE = Place("/code/shop/web", "/code/shop", "/code/shop/.git")


@pytest.mark.parametrize(
    ("of", "help"),
    [
        (Place("/code/shop/api", "/code/shop", "/code/shop/.git"), None),
        (Place("/code/shop-fix/api", "/code/shop-fix", "/code/shop/.git"), "another worktree of this repository"),
        (Place("/code/shop/.trees/fix", "/code/shop/.trees/fix", "/code/shop/.git"), "another worktree"),
        (Place("/code/blog", "/code/blog", "/code/blog/.git"), "if that is another project's server"),
        (Place("/srv/api"), None),
        (Place("/"), None),
    ],
    ids=lambda value: value.folder if isinstance(value, Place) else None,
)
def test_a_program_of_another_checkout_is_told(of: Place, help: str | None) -> None:
    advice = advice_on_folder("backend", "http://localhost:3001", "node (pid 7)", of, HERE)
    assert (advice is None) is (help is None)
    if advice is not None and help is not None:
        assert advice[0] == (
            f"backend at http://localhost:3001 is answered by node (pid 7) in {of.folder}, not in /code/shop"
        )
        assert help in advice[1]


def test_what_is_in_no_checkout_tells_nothing() -> None:
    assert (
        advice_on_folder("b", "u", "p", Place("/code/blog", "/code/blog", "/code/blog/.git"), Place("/tmp/x")) is None
    )


def test_names_of_folders_are_shown_so_that_a_terminal_does_not_act_on_them() -> None:
    advice = advice_on_folder("b", "u", "p", Place("/a\x1b[2J", "/a\x1b[2J", "/x"), HERE)
    assert advice is not None
    assert advice[0].isprintable()
