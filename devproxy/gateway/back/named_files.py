"""The files that upstreams name, looked at when a configuration is read: what is wrong, and at which value.

Reads files. A running devproxy reads them again itself (:mod:`devproxy.gateway.back.tls`,
:mod:`devproxy.gateway.back.recorded`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial

from devproxy.config.model import SYSTEM, Config, Upstream
from devproxy.errors import CertificateProblem

Found = tuple[tuple[str | int, ...], str, str]
"""The path of a value in the file, what is wrong, and what to do."""


def unusable_files(config: Config) -> tuple[Found, ...]:
    """Return what is wrong with the files that the upstreams of `config` name, in their order."""
    folder = os.path.dirname(config.source)
    named = (one for one in config.upstreams if one.recording or one.tls_cert or one.tls_ca != (SYSTEM,))
    return tuple(found for upstream in named for found in _of(upstream, folder))


def _of(upstream: Upstream, folder: str) -> Iterator[Found]:
    if upstream.recording:
        yield from _of_recording(upstream, folder)
        return
    import ssl  # few configurations name files

    from devproxy.certificates.files import CERTIFICATE, PRIVATE_KEY, add_authorities, add_pair, check_file

    where = ("upstreams", upstream.name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for index, path in enumerate(upstream.tls_ca):
        if path == SYSTEM or not upstream.tls_verify:
            continue
        place: tuple[str | int, ...] = (*where, "tls_ca", index)
        yield from _problem(partial(add_authorities, context, os.path.join(folder, path)), place)
    if not upstream.tls_cert:
        return
    at_key = (*where, "tls_key" if upstream.tls_key else "tls_cert")
    certificate = os.path.join(folder, upstream.tls_cert)
    key = os.path.join(folder, upstream.tls_key or upstream.tls_cert)
    found = [
        *_problem(partial(check_file, certificate, CERTIFICATE), (*where, "tls_cert")),
        *_problem(partial(check_file, key, PRIVATE_KEY), at_key),
    ]
    yield from found or _problem(partial(add_pair, context, certificate, key), at_key)


def _of_recording(upstream: Upstream, folder: str) -> Iterator[Found]:
    from devproxy.gateway.back.recorded import read_file, sentence  # few upstreams are one
    from devproxy.recordings.archive import BadRecording

    try:
        read_file(os.path.join(folder, upstream.recording))
    except BadRecording as bad:
        yield ("upstreams", upstream.name, "recording"), sentence(upstream.recording, bad), bad.help


def _problem(check: Callable[[], None], path: tuple[str | int, ...]) -> tuple[Found, ...]:
    try:
        check()
    except CertificateProblem as problem:
        return ((path, problem.what, problem.help),)
    return ()
