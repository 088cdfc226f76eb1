"""Where the authorities are kept that this system and its browsers trust. Looks, and changes nothing.

Sources: mkcert 1.4 (``truststore_*.go``) for the places and programs of each system; NSS keeps its certificates in
SQLite, by the numbers of PKCS #11 attributes. Start at :func:`look` and :func:`lacking`.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from enum import Enum, auto
from glob import glob
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from devproxy.certificates.authority import Authority
from devproxy.certificates.folders import person
from devproxy.platforms.accounts import is_root
from devproxy.platforms.system import SYSTEM

COMMAND_LIMIT_S: Final = 20.0


class Kind(Enum):
    """What keeps authorities, and so by which program they get there."""

    SYSTEM = auto()
    """A folder of a Linux distribution, from which a program makes the list that OpenSSL and GnuTLS read."""
    NSS = auto()
    """A database of Chromium on Linux or of Firefox; ``where`` is its folder."""
    KEYCHAIN = auto()
    """The login keychain of macOS."""
    WINDOWS = auto()
    """The current user's root store of Windows, also as seen from WSL."""


class Store(NamedTuple):
    """A store of authorities. ``whose``: the programs that go by it. ``where``: it is.

    Of a ``SYSTEM`` folder: how its files end, the commands to run when one came (``update``) and when one went
    (``cleanup``), and the list that these make (``bundle``). ``is_there``: False for one that has to be made.
    """

    kind: Kind
    whose: str
    where: str
    suffix: str = ""
    update: tuple[str, ...] = ()
    cleanup: tuple[str, ...] = ()
    bundle: str = ""
    is_there: bool = True


class System(NamedTuple):
    """What a plan depends on.

    ``programs``: those on PATH of which it may need one. ``is_root``: this process may change the system's files.
    ``person``: who became root by ``sudo``, if so.
    """

    stores: tuple[Store, ...]
    programs: frozenset[str]
    is_root: bool = False
    person: str = ""


_SYSTEMS_PROGRAMS: Final = "curl, Git and other programs that use the system's list"
_DEBIAN: Final = ("update-ca-certificates",)
_FOLDERS: Final = (
    ("etc/pki/ca-trust/source/anchors", ".pem", ("update-ca-trust", "extract"), (), "etc/pki/tls/certs/ca-bundle.crt"),
    # Without --fresh, links to a file that is gone stay.
    ("usr/local/share/ca-certificates", ".crt", _DEBIAN, (*_DEBIAN, "--fresh"), "etc/ssl/certs/ca-certificates.crt"),
    (
        "etc/ca-certificates/trust-source/anchors",
        ".crt",
        ("trust", "extract-compat"),
        (),
        "etc/ssl/certs/ca-certificates.crt",
    ),
    ("usr/share/pki/trust/anchors", ".pem", ("update-ca-certificates",), (), "var/lib/ca-certificates/ca-bundle.pem"),
)
"""Of Fedora, Debian, Arch and SUSE and all that come from them: where files go, how they end, what to run when one
came, what when one went (empty: the same), and the list that is made of them."""
_CHROMIUM: Final = ".pki/nssdb"
_DATABASES: Final = (
    (_CHROMIUM, "Chromium and Chrome"),
    ("snap/chromium/current/.pki/nssdb", "Chromium (snap)"),
    (".var/app/*/.pki/nssdb", "browsers from Flatpak"),
    (".mozilla/firefox/*", "Firefox"),
    (".config/mozilla/firefox/*", "Firefox"),
    ("snap/firefox/common/.mozilla/firefox/*", "Firefox (snap)"),
    (".var/app/org.mozilla.firefox/.mozilla/firefox/*", "Firefox (Flatpak)"),
)
_LIKE_CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
_NEEDED: Final = ("certutil", "apt-get", "dnf", "pacman", "zypper")


def look(
    environment: Mapping[str, str] = os.environ,
    platform: str = SYSTEM,
    root: str = "/",
    which: Callable[[str], str | None] = shutil.which,
) -> System:
    """Return what is on this system. `root`: of its files."""
    home = person(environment)
    stores: list[Store] = []
    if platform == "darwin":
        keychain = os.path.join(home.home, "Library/Keychains/login.keychain-db")
        stores.append(Store(Kind.KEYCHAIN, "Safari, Chrome, Firefox, curl and other programs of this Mac", keychain))
    elif platform == "win32" or _is_wsl(root):
        stores.append(Store(Kind.WINDOWS, "Edge, Chrome, Firefox and other programs of Windows", "Root"))
    if platform not in ("darwin", "win32"):
        stores += _of_linux(home.home, root, which)
    return System(
        tuple(stores),
        frozenset(name for name in _NEEDED if which(name)),
        is_root=is_root(),
        person=home.name,
    )


def lacking(system: System, authority: Authority) -> tuple[Store, ...]:
    """Return the stores of `system` that do not have `authority`."""
    return tuple(store for store in system.stores if not has(store, authority))


def has(store: Store, authority: Authority) -> bool:
    """Tell whether a program that uses `store` trusts `authority`; what cannot be found out counts as no."""
    if not store.is_there:
        return False
    if store.kind is Kind.SYSTEM:
        body = authority.certificate.split(b"-----")[2].strip()
        with suppress(OSError):
            return body in Path(store.bundle).read_bytes()
        return False
    if store.kind is Kind.NSS:
        return _is_in_database(store, "a11 = ?", authority.der)
    if store.kind is Kind.KEYCHAIN:
        return _succeeds("security", "verify-cert", "-q", "-L", "-l", "-c", authority.path)
    return _succeeds("certutil.exe", "-user", "-verifystore", store.where, authority.fingerprint)


def has_by_name(store: Store, authority: Authority, name: str) -> bool:
    """Tell whether `authority` is in `store` under `name`; False for stores that keep no names."""
    if store.kind is Kind.SYSTEM:
        return os.path.exists(os.path.join(store.where, f"{name}{store.suffix}"))
    return store.kind is Kind.NSS and _is_in_database(store, "a11 = ? AND a3 = ?", authority.der, name.encode())


def windows_path(path: str) -> str:
    """Return `path` as programs of Windows know it, where this is WSL; else as it is."""
    try:
        done = subprocess.run(["wslpath", "-w", path], capture_output=True, timeout=COMMAND_LIMIT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return path
    return done.stdout.decode(errors="replace").strip()


def _of_linux(home: str, root: str, which: Callable[[str], str | None]) -> Iterator[Store]:
    for folder, suffix, update, cleanup, bundle in _FOLDERS:
        if os.path.isdir(os.path.join(root, folder)):
            where, made = os.path.join(root, folder), os.path.join(root, bundle)
            yield Store(Kind.SYSTEM, _SYSTEMS_PROGRAMS, where, suffix, update, cleanup or update, made)
            break
    for pattern, whose in _DATABASES:
        for file in sorted(glob(os.path.join(home, pattern, "cert9.db"))):
            yield Store(Kind.NSS, whose, os.path.dirname(file))
    chromium = os.path.join(home, _CHROMIUM)
    paths = filter(None, map(which, _LIKE_CHROMIUM))
    if not os.path.exists(os.path.join(chromium, "cert9.db")) and any("/snap/" not in path for path in paths):
        yield Store(Kind.NSS, "Chromium and Chrome", chromium, is_there=False)


def _is_wsl(root: str) -> bool:
    with suppress(OSError):
        return "microsoft" in Path(root, "proc/version").read_text(errors="replace").lower()
    return False


def _is_in_database(store: Store, condition: str, *values: bytes) -> bool:
    """Tell whether an NSS database has such a certificate. Its columns: ``a3`` is CKA_LABEL, ``a11`` CKA_VALUE."""
    path = quote(os.path.join(store.where, "cert9.db"))
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as base:
        return bool(base.execute(f"SELECT 1 FROM nssPublic WHERE {condition}", values).fetchone())
    return False


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=COMMAND_LIMIT_S, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False
