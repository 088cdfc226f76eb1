"""``devproxy doctor``: which of the usual failures a server has; without a URL: what is wrong around devproxy here.

What is asked and what it means is :mod:`devproxy.doctor`'s. Start at :func:`run`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Final, cast

from devproxy.authority.origins import OPAQUE, normalised, parse_origin
from devproxy.cli.files import is_named
from devproxy.cli.https import distrust
from devproxy.cli.loading import BadConfiguration, Loaded, configuration
from devproxy.cli.refusal import FAILED, FINE, Refused, put
from devproxy.cli.routes import style_for
from devproxy.console.style import Colour
from devproxy.doctor.diagnosis import diagnose
from devproxy.doctor.environment import look_around
from devproxy.doctor.judging import guess_of
from devproxy.doctor.report import document_of, lines_of
from devproxy.doctor.run import LIMIT_S, run_doctor
from devproxy.doctor.surroundings import PROBLEM, Surroundings, document_around, judge, lines_around
from devproxy.doctor.target import BadTarget, Target, parse_target
from devproxy.text.safe import visible

DEFAULT_ORIGIN: Final = "http://localhost:3000"
MAX_LIMIT_S: Final = 3600.0
_EXAMPLE: Final = "devproxy doctor http://localhost:3001 --origin http://localhost:3000"


def run(options: argparse.Namespace) -> int:
    """Run ``devproxy doctor``; return 1 where there is an error, and 0 where there are warnings at most."""
    if options.url is None:
        return _around(options)
    page = _origin(options.origin)
    target = _target(options.url, options)
    through = _target(options.through, options) if options.through is not None else None
    limit_s = _limit(options.timeout)
    if not options.json and sys.stderr is not None and sys.stderr.isatty():
        sys.stderr.write(f"asking {target.base}, for {limit_s:g} s at most\n")
    examined = asyncio.run(
        run_doctor(
            target,
            page=page,
            is_page_given=options.origin is not None,
            through=through,
            includes_credentials=options.credentials,
            limit_s=limit_s,
        )
    )
    diagnosis = diagnose(examined)
    if options.json:
        put(json.dumps(document_of(diagnosis), indent=2, ensure_ascii=False) + "\n")
    else:
        stack = guess_of(examined.direct).stack
        lines = lines_of(diagnosis, style_for(options.color), stack=stack, through=options.through or "")
        put("\n".join(lines) + "\n")
    return FAILED if diagnosis.has_errors else FINE


def _around(options: argparse.Namespace) -> int:
    """Look around on this machine; return 1 where something is wrong."""
    if options.through is not None or options.origin is not None or options.credentials:
        raise Refused("doctor: --origin, --credentials and --through need the URL of a server", _EXAMPLE)
    found = asyncio.run(_look(options))
    findings = judge(found)
    if options.json:
        put(json.dumps(document_around(found, findings), indent=2, ensure_ascii=False) + "\n")
    else:
        put("\n".join(lines_around(findings, style_for(cast("Colour", options.color)))) + "\n")
    return FAILED if any(finding.result == PROBLEM for finding in findings) else FINE


async def _look(options: argparse.Namespace) -> Surroundings:
    source = options.config or ""
    try:
        loaded = configuration(options)
    except BadConfiguration as refusal:
        return await look_around(None, None, source=refusal.source, fault=_first_line(refusal))
    except Refused as refusal:
        fault = refusal.what if is_named(options.config) else ""
        return await look_around(None, None, source=source if fault else "", fault=fault)
    return await look_around(
        loaded.config,
        loaded.text,
        source=loaded.config.source if loaded.text is not None else "",
        notices=loaded.notices,
        distrust=_distrust(loaded),
    )


def _distrust(loaded: Loaded) -> tuple[str, str]:
    trouble = distrust(loaded.config)
    return ("", "") if trouble is None else (trouble.what, trouble.help)


def _first_line(refusal: BadConfiguration) -> str:
    return refusal.render(colour=False).strip().splitlines()[0].removeprefix("error: ")


def _target(url: str, options: argparse.Namespace) -> Target:
    try:
        return parse_target(url, path=options.path, eio=int(options.eio))
    except BadTarget as problem:
        raise Refused(f"doctor: {problem}", problem.help) from None


def _origin(text: str | None) -> bytes:
    """Return the origin that `text` means, as a browser writes it. Raises :class:`Refused`."""
    written = (text or DEFAULT_ORIGIN).strip()
    if written.isascii() and written.isdigit():
        written = f"http://localhost:{written}"
    octets = written.encode("utf-8", "surrogateescape")
    if octets == OPAQUE:
        return octets
    origin = parse_origin(octets) or normalised(octets)
    if origin is None or not origin.startswith((b"http://", b"https://")):
        raise Refused(f"doctor: --origin: {visible(written, 80)} is not the origin of a page", _EXAMPLE)
    return origin


def _limit(text: str | None) -> float:
    if text is None:
        return LIMIT_S
    try:
        limit_s = float(text.removesuffix("s"))
    except ValueError:
        limit_s = -1.0
    if not 1.0 <= limit_s <= MAX_LIMIT_S:
        raise Refused(
            f"doctor: --timeout: {visible(text, 40)} is not a number of seconds from 1 to {MAX_LIMIT_S:.0f}",
            "--timeout 90",
        )
    return limit_s
