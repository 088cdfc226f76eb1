"""Two gateways with different configurations change nothing of the process that they run in, while they serve or later.

The process is one of its own: the runner has changed its own already.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

PROGRAM = '''
import asyncio, atexit, fcntl, gc, locale, logging, os, resource, signal, socket, sys, threading, warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
sys.path.insert(0, {root!r})
import devproxy
from tests.support.small_server import fetch, small_server

warnings.simplefilter("error")


def limits():
    return [resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")]


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def state(loop):
    """Return all that a process has but one of."""
    return {{
        "signals": [signal.getsignal(number) for number in signal.valid_signals()],
        "blocked signals": signal.pthread_sigmask(signal.SIG_BLOCK, []),
        "timers": [signal.getitimer(which) for which in (signal.ITIMER_REAL, signal.ITIMER_PROF)],
        "gc": (gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), gc.get_debug(), list(gc.callbacks)),
        # What sets options of the allocator is never loaded, and nothing else here knows that there are any.
        "allocator": "devproxy.platforms.allocator" in sys.modules,
        "streams": (sys.stdin, sys.stdout, sys.stderr, [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (0, 1, 2)]),
        "umask": umask(),
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "limits": limits(),
        "niceness": os.nice(0),
        "logging": (logging.root.level, logging.root.handlers[:], logging.root.manager.disable, logging.lastResort),
        "loggers": [(one.level, one.handlers, one.disabled) for one in map(logging.getLogger, ("asyncio", "devproxy"))],
        "policy": asyncio.events._event_loop_policy,
        "loop": (loop.get_exception_handler(), loop.get_debug(), loop.get_task_factory(), loop.slow_callback_duration),
        "hooks": (sys.unraisablehook, sys.excepthook, threading.excepthook, sys.displayhook, sys.breakpointhook),
        "async hooks": sys.get_asyncgen_hooks(),
        "tracing": (sys.gettrace(), sys.getprofile(), sys.getswitchinterval(), sys.getrecursionlimit()),
        "path": (sys.path[:], sys.path_hooks[:], sys.meta_path[:]),
        "warnings": warnings.filters[:],
        "locale": locale.setlocale(locale.LC_ALL),
        "time-out of sockets": socket.getdefaulttimeout(),
        "at exit": atexit._ncallbacks(),
        "threads": threading.enumerate(),
        "children": Path(f"/proc/self/task/{{os.getpid()}}/children").read_text(),
    }}


def changed(before, after):
    return [name for name in before if before[name] != after[name]]


async def main():
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    await asyncio.to_thread(int)  # the loop's own thread is the loop's
    async with small_server("a") as one, small_server("b") as two:
        await fetch(f"http://127.0.0.1:{{one}}")
        devproxy.Gateway, devproxy.load  # what is imported is there
        before = state(loop)
        first = devproxy.Gateway.to(backend=one)
        second = devproxy.Gateway({{
            "server": {{"max_body_bytes": 10, "drain_s": 0.1}},
            "upstreams": {{"b": {{"servers": [f"http://localhost:{{two}}"], "sticky": "cookie"}}}},
            "routes": [{{"path": "/", "upstream": "b", "cors": "strip"}}],
        }})
        for gateway in (first, second):
            gateway.observe(lambda event: None, devproxy.Wants.ENDS | devproxy.Wants.PROGRESS | devproxy.Wants.HEADS)
        async with first, second:
            answers = [(await fetch(gateway.url, "/x"))[1] for gateway in (first, second)]
            await first.reload(first.config)
            while_serving = changed(before, state(loop))
        gc.collect()
        print(answers, while_serving, changed(before, state(loop)))


def new_loop():
    if {loop!r} == "asyncio":
        return asyncio.new_event_loop()
    import uvloop
    return uvloop.new_event_loop()


with asyncio.Runner(loop_factory=new_loop) as runner:
    runner.run(main())
'''


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_gateway_changes_nothing_of_its_process(loop: str) -> None:
    program = PROGRAM.format(root=str(ROOT), loop=loop)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=20)
    assert done.stderr == ""
    assert done.stdout == "['a /x', 'b /x'] [] []\n"


def test_the_package_alone_loads_nothing() -> None:
    program = (
        "import sys; before = set(sys.modules); import devproxy; loaded = set(sys.modules) - before\n"
        "print(sorted(loaded)); print(sorted(devproxy.__all__) == sorted(set(devproxy.__all__) & set(dir(devproxy))))\n"
        "for name in devproxy.__all__: getattr(devproxy, name)\n"
        "from devproxy import *\n"
        "print(Gateway.__name__, hasattr(devproxy, 'nothing_like_that'))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['devproxy']", "True", "Gateway False"]


BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["embedding.md", "testing.md"])
def test_the_code_of_the_pages_is_python(page: str) -> None:
    blocks = BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
    assert blocks
    for block in blocks:
        compile(block, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_the_first_program_of_the_page_runs(tmp_path: Path) -> None:
    (program,) = BLOCK.findall((ROOT / "docs" / "embedding.md").read_text(encoding="utf-8"))[:1]
    (tmp_path / "devproxy.toml").write_text(
        'upstreams.a = "http://localhost:1"\nroutes = [{ path = "/", upstream = "a" }]\nserver.listen = "localhost:0"\n'
    )
    program = program.replace("await asyncio.Event().wait()", "await asyncio.sleep(0)")
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.fullmatch(r"http://localhost:\d+\n", done.stdout)
    assert done.stderr == ""
