"""What a wheel of devproxy holds, and that `devproxy` is what it installs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import devproxy
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_ships_its_types(wheel: zipfile.ZipFile) -> None:
    assert "devproxy/py.typed" in wheel.namelist()


def test_the_wheel_ships_the_page_of_errors(wheel: zipfile.ZipFile) -> None:
    assert "devproxy/answers/page.html" in wheel.namelist()


def test_the_wheel_ships_the_whole_page_of_the_demo_and_the_licence_of_what_it_borrows(wheel: zipfile.ZipFile) -> None:
    static = ROOT / "devproxy" / "demo" / "static"
    wanted = {f"devproxy/demo/static/{file.name}" for file in static.iterdir()}
    assert {"devproxy/demo/static/index.html", "devproxy/demo/static/socket.io.LICENSE.txt"} <= wanted
    assert wanted <= set(wheel.namelist())


def test_the_wheel_ships_the_whole_page_of_the_inspector(wheel: zipfile.ZipFile) -> None:
    page = ROOT / "devproxy" / "inspector" / "page"
    wanted = {file.relative_to(ROOT).as_posix() for file in page.rglob("*") if file.is_file()}
    assert {"devproxy/inspector/page/index.html", "devproxy/inspector/page/main.js"} <= wanted
    assert wanted <= set(wheel.namelist())


def test_the_wheel_ships_what_reads_the_configurations_of_node(wheel: zipfile.ZipFile) -> None:
    scripts = ROOT / "devproxy" / "importing" / "node"
    wanted = {file.relative_to(ROOT).as_posix() for file in scripts.glob("*.mjs")}
    assert "devproxy/importing/node/common.mjs" in wanted
    assert wanted <= set(wheel.namelist())


def test_the_wheel_ships_nothing_but_the_package_and_its_licence(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"devproxy", f"devproxy-{devproxy.__version__}.dist-info"}
    assert f"devproxy-{devproxy.__version__}.dist-info/licenses/LICENSE" in wheel.namelist()
    assert not [name for name in wheel.namelist() if "__pycache__" in name or "node_modules" in name]


def test_the_command_is_called_devproxy(wheel: zipfile.ZipFile) -> None:
    entry_points = wheel.read(f"devproxy-{devproxy.__version__}.dist-info/entry_points.txt").decode()
    assert "devproxy = devproxy.__main__:main" in entry_points


def test_every_direct_dependency_is_explained_in_the_decision_record() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = list(project["dependencies"])
    for group in project["optional-dependencies"].values():
        listed += group
    record = (ROOT / "docs" / "adr" / "0006-dependencies.md").read_text(encoding="utf-8")
    names = {name.split(">")[0].split(";")[0].strip() for name in listed if not name.startswith("devproxy")}
    assert names
    assert not [name for name in sorted(names) if f"`{name}`" not in record]
