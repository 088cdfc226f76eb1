"""Fuzzing without end: ``make fuzz``, or ``python -m tests.fuzz [--seconds N] [--seed N]``.

Takes up where ``tests/property/test_fuzz.py`` stops, with seeds that nobody has tried. What breaks an invariant is kept
in ``tests/corpus``, where every later test run tries it, and told with its octets; the exit code is 1 then.
``FUZZ_SECONDS`` and ``FUZZ_SEED`` in the environment are the defaults of the options; 0 seconds: until Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter

from devproxy.http1.reader import MessageKind
from tests.support.fuzzing import Broken, case, check_request, check_response, corpus, keep
from tests.support.http2_fuzzing import check_http2, http2_case, keep_http2
from tests.support.in_memory import World

_CHECKS = {MessageKind.REQUEST: check_request, MessageKind.RESPONSE: check_response}
_REPORT_S = 10.0
_MAX_BROKEN = 20


def main() -> int:
    """Run; return 1 if an invariant was broken."""
    options = _options()
    number = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6, 10**12)
    _say(f"from case {number}; --seed {number} repeats this run")
    world = World()
    kept = {kind: corpus(kind) for kind in MessageKind}
    seen: Counter[str] = Counter()
    started = reported = time.monotonic()
    try:
        while not options.seconds or time.monotonic() - started < options.seconds:
            for kind in MessageKind:
                seen[_try(world, kind, number, kept[kind])] += 1
            seen[_try_http2(world, number)] += 1
            number += 1
            if time.monotonic() - reported > _REPORT_S:
                reported = time.monotonic()
                _say(_figures(seen, reported - started))
            if seen["broken"] >= _MAX_BROKEN:
                break
    except KeyboardInterrupt:
        pass
    _say(_figures(seen, time.monotonic() - started))
    return 1 if seen["broken"] else 0


def _try(world: World, kind: MessageKind, number: int, kept: list[bytes]) -> str:
    stream, chance = case(kind, number, kept)
    try:
        return f"{kind.value} {_CHECKS[kind](world, stream, chance)}"
    except Exception as error:
        file = keep(kind, stream, f"found-{number}")
        told = str(error) if isinstance(error, Broken) else repr(error)
        _say(f"BROKEN: {kind.value} {number}, kept as {file.name}: {told}")
        return "broken"


def _try_http2(world: World, number: int) -> str:
    stream, chance = http2_case(number)
    try:
        return f"http2 {check_http2(world, stream, chance)}"
    except Exception as error:
        file = keep_http2(stream, f"found-{number}")
        told = str(error) if isinstance(error, Broken) else repr(error)
        _say(f"BROKEN: http2 {number}, kept as {file.name}: {told}")
        return "broken"


def _figures(seen: Counter[str], seconds: float) -> str:
    total = sum(seen.values())
    kinds = ", ".join(f"{name} {count:,}" for name, count in sorted(seen.items()))
    return f"{total:,} cases in {seconds:.0f} s ({total / max(seconds, 0.001):,.0f}/s): {kinds}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("FUZZ_SECONDS", "0")))
    seed = os.environ.get("FUZZ_SEED")
    parser.add_argument("--seed", type=int, default=int(seed) if seed else None)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
