"""The documents as a site: built without a warning, complete, closed in itself, and searchable without a server."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from docs.site import pages
from docs.site.__main__ import files
from tests.support.browser import open_page

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "docs.site", folder], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


class Links(HTMLParser):
    """What a page links to, loads, and can be linked to by."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.leads: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a":
            self.leads += [found[name] for name in ("href",) if name in found]
        else:
            self.loads += [found[name] for name in ("src", "srcset", "href") if found.get(name)]


def read(folder: Path) -> dict[str, Links]:
    return {path.relative_to(folder).as_posix(): Links(path.read_text("utf-8")) for path in folder.rglob("*.html")}


def test_every_document_is_a_page(site: Path) -> None:
    names = pages.layout(path for path in files() if pages.SHOWN.fullmatch(path))
    missing = [name for name in names.values() if not (site / name).with_suffix(".html").is_file()]
    assert len(names) > 20
    assert not missing


def test_every_link_of_the_site_leads_somewhere_in_it(site: Path) -> None:
    found = read(site)
    lost = []
    for name, page in found.items():
        for link in {*page.leads, *page.loads}:
            if re.match(r"[a-z]+:", link):
                continue
            path, _, fragment = unquote(link.split("?")[0]).partition("#")
            target = (site / name).parent / path if path else site / name
            if not target.resolve().is_file():
                lost.append(f"{name}: {link}")
            elif fragment and target.suffix == ".html":
                anchors = found[target.resolve().relative_to(site.resolve()).as_posix()].anchors
                lost += [] if fragment in anchors else [f"{name}: {link}"]
    assert not lost


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    elsewhere = [
        f"{name}: {link}" for name, page in read(site).items() for link in page.loads if re.match(r"[a-z]+:", link)
    ]
    styles = [
        path.name for path in site.rglob("*.css") if re.search(r"url\(['\"]?(https?:|//)|@import", path.read_text())
    ]
    assert [one for one in elsewhere if "data:" not in one] == []
    assert styles == []


def test_every_command_has_its_help_on_the_site(site: Path) -> None:
    text = (site / "commands.html").read_text("utf-8")
    for command in ("up", "check", "doctor", "explain", "health"):
        assert f"usage: devproxy {command}" in text


async def test_a_page_is_found_by_its_words_without_a_server(site: Path) -> None:
    async with open_page() as page:
        await page.goto((site / "search.html").as_uri() + "?q=max_body_bytes")
        found = await page.until("[...document.querySelectorAll('ul.search a')].map(one => one.textContent).join('|')")
        assert "Configuration" in found
        await page.evaluate(
            "[...document.querySelectorAll('ul.search a')].find(a => a.textContent == 'Configuration').click()"
        )
        await page.until("document.title.startsWith('Configuration') && document.readyState == 'complete'")
        assert page.console == []


def rows() -> Iterator[tuple[str, str, str]]:
    yield "README.md", "[a](docs/cors.md#x) and [b](examples/chat)", "[a](cors.md#x) and [b](examples/chat.md)"
    yield "README.md", '<img src="docs/a.png">', '<img src="files/docs/a.png">'
    yield "docs/cors.md", "[a](../README.md) [b](adr/0001-x.md) [c](#d)", "[a](index.md) [b](adr/0001-x.md) [c](#d)"
    yield "docs/adr/0001-x.md", "[a](../cors.md) [b](README.md)", "[a](../cors.md) [b](index.md)"
    yield "examples/chat/README.md", "[code](../../devproxy/a.py)", "[code](../files/devproxy/a.py)"
    yield "docs/cors.md", "see [docs/cors.md](cors.md), <https://a.test/>", "see [cors](cors.md), <https://a.test/>"
    yield "docs/cors.md", "```sh\n[a](nowhere.md)\n```\n", "```sh\n[a](nowhere.md)\n```\n"


DOCUMENTS = ("README.md", "docs/cors.md", "docs/adr/README.md", "docs/adr/0001-x.md", "examples/chat/README.md")
FILES = ("docs/a.png", "devproxy/a.py")


@pytest.mark.parametrize(("path", "text", "expected"), list(rows()))
def test_links_lead_to_the_same_document_on_the_site(path: str, text: str, expected: str) -> None:
    assert pages.page(path, text, pages.layout(DOCUMENTS), FILES)[0] == expected


def test_a_link_that_leads_nowhere_is_named_with_its_document() -> None:
    with pytest.raises(pages.LostLink, match=r"docs/cors\.md: \.\./gone leads nowhere"):
        pages.page("docs/cors.md", "[a](../gone)", pages.layout(DOCUMENTS), FILES)


def test_a_new_page_is_in_the_navigation_without_being_named() -> None:
    found = pages.navigation([*pages.layout(DOCUMENTS).values(), "unheard-of.md", "recipes/unheard-of.md"])
    assert found["More"] == ["unheard-of.md"]
    assert found["Recipes"] == ["recipes/unheard-of.md", "examples/chat.md"]
    assert found["Work on devproxy"] == ["adr/index.md", "adr/0001-x.md"]
