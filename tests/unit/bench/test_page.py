"""The page of the benchmark: what a browser asks for when it loads a Vite project again."""

from __future__ import annotations

import re

from bench.page import LARGEST, MODULES, SMALLEST, body, document, mark, modules

PAGE = modules()


def field(request: bytes, name: str) -> str | None:
    found = re.search(rf"\r\n{name}: ([^\r]*)\r\n".encode(), request)
    return None if found is None else found[1].decode()


def test_every_module_has_a_path_of_its_own() -> None:
    assert len(PAGE) == MODULES
    assert len({module.path for module in PAGE}) == MODULES


def test_sizes_lie_between_one_and_thirty_kib_and_most_are_small() -> None:
    sizes = sorted(module.size for module in PAGE)
    assert SMALLEST <= sizes[0] < 2 * SMALLEST
    assert 0.95 * LARGEST < sizes[-1] <= LARGEST
    assert sizes[MODULES // 2] < (SMALLEST + LARGEST) / 2


def test_a_body_has_its_size_and_says_whose_it_is() -> None:
    for number, module in enumerate(PAGE):
        content = body(PAGE, number)
        assert len(content) == module.size
        assert content.startswith(mark(number))
        assert re.fullmatch(r'/\*.*\*/\n(import ".*";\n)*// text of a module.*', content.decode())


def test_every_module_but_the_first_is_imported_by_the_one_that_it_has_as_its_referer() -> None:
    imported = {
        target: PAGE[number].target
        for number in range(MODULES)
        for target in re.findall(r'^import "(.*)";$', body(PAGE, number).decode(), re.MULTILINE)
    }
    assert PAGE[0].target in document()
    assert [module.target for module in PAGE[1:]] == [*imported]
    for module in PAGE[1:]:
        assert field(module.request, "Referer") == f"http://localhost:8080{imported[module.target]}"


def test_dependencies_carry_the_hash_of_all_and_are_not_asked_about() -> None:
    bundled = [module for module in PAGE if module.target.startswith("/node_modules/.vite/deps/")]
    assert len(bundled) == MODULES // 5
    assert {module.target.partition("?")[2] for module in bundled} == {"v=5f2e81c7"}
    assert all(field(module.request, "If-None-Match") is None for module in bundled)


def test_sources_are_asked_about_and_those_that_changed_carry_the_time() -> None:
    sources = [module for module in PAGE if module.target.startswith("/src/app/")]
    assert len(sources) == MODULES - MODULES // 5
    assert all(field(module.request, "If-None-Match") for module in sources)
    changed = [module for module in sources if re.search(r"[?&]t=\d{13}$", module.target)]
    assert len(sources) / 4 < len(changed) < len(sources) / 2


def test_every_module_was_imported_by_one_that_was_asked_for_before() -> None:
    asked = {"/"}
    for module in PAGE:
        referer = field(module.request, "Referer")
        assert referer is not None
        assert referer.removeprefix("http://localhost:8080") in asked
        asked.add(module.target)


def test_a_request_is_what_a_browser_sends_for_a_module_script() -> None:
    for module in PAGE:
        assert module.request.startswith(f"GET {module.target} HTTP/1.1\r\nHost: localhost:8080\r\n".encode())
        assert module.request.endswith(b"\r\n\r\n")
        sent = [field(module.request, f"Sec-Fetch-{name}") for name in ("Site", "Mode", "Dest")]
        assert sent == ["same-origin", "cors", "script"]
