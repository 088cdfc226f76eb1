"""Files that an upstream names for TLS and that cannot be used: a problem of the configuration, with file and line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from devproxy.cli import main
from devproxy.config import load, warnings
from devproxy.config.loading import refusal
from tests.support.certificates import TestAuthority

OURS = TestAuthority()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pair = OURS.pair()
    (tmp_path / "ca.pem").write_bytes(OURS.pem)
    (tmp_path / "pair.pem").write_bytes(pair)
    key, mark, certificate = pair.partition(b"-----BEGIN CERTIFICATE")
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "cert.pem").write_bytes(mark + certificate)
    (tmp_path / "other-key.pem").write_bytes(OURS.pair().partition(b"-----BEGIN CERTIFICATE")[0])
    (tmp_path / "text.pem").write_text("nothing of the kind")
    (tmp_path / "half.pem").write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "ca.crt").write_bytes(OURS.pem)
    (tmp_path / "good" / "notes").write_text("no certificate")
    for command in (
        ["x509", "-in", "ca.pem", "-outform", "der", "-out", "ca.der"],
        ["pkey", "-in", "key.pem", "-aes256", "-passout", "pass:secret", "-out", "locked.pem"],
    ):
        subprocess.run(["openssl", *command], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def written(folder: Path, lines: str) -> Path:
    path = folder / "devproxy.toml"
    text = f'[upstreams.api]\nservers = ["https://localhost:4430"]\n{lines}\n[[routes]]\npath = "/"\nupstream = "api"\n'
    path.write_text(text)
    return path


def checked(folder: Path, lines: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str | int]]:
    code = main(["check", "--json", str(written(folder, lines))])
    (document,) = json.loads(capsys.readouterr().out)
    assert code == (0 if document["ok"] else 2)
    return document.get("problems", [])  # type: ignore[no-any-return]


BAD = {
    "no such file": ('tls_ca = "gone.pem"', 3, "gone.pem: no such file or directory", "name a file that is there"),
    "a home folder": ('tls_ca = "~/ca.pem"', 3, "no such file", "`~` is not replaced"),
    "no certificate": ('tls_ca = "text.pem"', 3, "contains no certificate in PEM", "CERTIFICATE-----"),
    "a key instead": ('tls_ca = "key.pem"', 3, "contains no certificate in PEM", "CERTIFICATE-----"),
    "damaged": ('tls_ca = "half.pem"', 3, "cannot be used", "in PEM"),
    "in DER": ('tls_ca = "ca.der"', 3, "is in DER", "openssl x509 -inform der"),
    "an empty folder": ('tls_ca = "empty"', 3, "no file in the folder", "CERTIFICATE-----"),
    "one of several": ('tls_ca = [\n"system",\n"gone.pem",\n]', 5, "no such file", ""),
    "a pipe": ('tls_ca = "/dev/null"', 3, "is not a file", "name a file"),
    "no key in the file": ('tls_cert = "cert.pem"', 3, "contains no private key", "PRIVATE KEY-----"),
    "no certificate in the file": ('tls_cert = "key.pem"', 3, "contains no certificate", "CERTIFICATE-----"),
    "a key that is not there": ('tls_cert = "cert.pem"\ntls_key = "gone.pem"', 4, "gone.pem: no such file", ""),
    "another one's key": (
        'tls_cert = "cert.pem"\ntls_key = "other-key.pem"',
        4,
        "other-key.pem does not belong to the certificate",
        "a certificate and its key",
    ),
    "a key with a password": ('tls_cert = "cert.pem"\ntls_key = "locked.pem"', 4, "has a password", "openssl pkey -in"),
}


@pytest.mark.parametrize(("lines", "line", "what", "help"), BAD.values(), ids=BAD)
def test_a_file_that_cannot_be_used_is_a_problem_with_its_line(
    folder: Path, lines: str, line: int, what: str, help: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (problem,) = checked(folder, lines, capsys)
    assert problem["line"] == line
    assert what in str(problem["what"])
    assert help in str(problem["help"])


@pytest.mark.parametrize(
    "lines",
    [
        'tls_ca = "ca.pem"',
        'tls_ca = "good"',
        'tls_ca = ["system", "./ca.pem"]\ntls_cert = "pair.pem"',
        'tls_cert = "cert.pem"\ntls_key = "key.pem"',
        'tls_verify = false\ntls_ca = "gone.pem"',
    ],
)
def test_files_that_can_be_used_are_no_problem(folder: Path, lines: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(folder, lines, capsys) == []


def test_every_file_is_told_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problems = checked(folder, 'tls_ca = ["a.pem", "b.pem"]\ntls_cert = "c.pem"\ntls_key = "d.pem"', capsys)
    assert [problem["line"] for problem in problems] == [3, 3, 4, 5]


def test_the_report_shows_the_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(folder, 'tls_ca = "gone.pem"')
    assert main(["check", str(path)]) == 2
    shown = capsys.readouterr().err
    assert f"--> {path}:3:10" in shown
    assert ' 3 | tls_ca = "gone.pem"' in shown


def test_up_does_not_start_with_such_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "--config", str(written(folder, 'tls_cert = "gone.pem"')), "--listen", "localhost:0"]) == 2
    assert "gone.pem: no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ("tls_ca = []", "names nothing to trust"),
        ('tls_ca = ""', "not the name of a file"),
        ('tls_ca = ["a.pem", ""]', "not the name of a file"),
        ('tls_key = "key.pem"', "there is no `tls_cert`"),
        ('tls_cert = "a\\u0000b"', "not the name of a file"),
        (f"tls_ca = {json.dumps(['a.pem'] * 33)}", "at most 32 authorities, got 33"),
        ("tls_ca = true", "expected a string or a list of strings"),
    ],
)
def test_what_the_text_alone_tells_to_be_wrong(
    folder: Path, lines: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (problem,) = checked(folder, lines, capsys)
    assert what in str(problem["what"])
    assert problem["line"] == 3


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ('servers = ["http://localhost:1"]\ntls_ca = "ca.pem"', "tls_ca has no effect"),
        ('servers = ["http://localhost:1"]\ntls_ca = "ca.pem"\ntls_cert = "a"', "tls_ca and tls_cert have no effect"),
        ('servers = ["https://localhost:1"]\ntls_ca = "ca.pem"\ntls_verify = false', "any certificate is accepted"),
    ],
)
def test_a_key_without_effect_is_told(lines: str, what: str) -> None:
    text = f'[upstreams.a]\n{lines}\n[[routes]]\npath = "/"\nupstream = "a"\n'
    (sentence,) = warnings(load(text.encode(), source="devproxy.toml"))
    assert sentence.startswith("devproxy.toml:3: ")
    assert what in sentence


def test_a_refusal_has_the_place_of_each_value() -> None:
    text = b"\xef\xbb\xbf[a]\r\nb = [1,\r\n2]\r\n"
    error = refusal(text, [(("a", "b", 1), "bad\x1b", "help"), (("a", "b", 7), "worse", "")])
    assert [(problem.line, problem.column) for problem in error.problems] == [(2, 5), (3, 1)]
    assert error.problems[1].what == r"bad\x1b"
