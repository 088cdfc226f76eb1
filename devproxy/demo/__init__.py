"""What `devproxy demo` shows: a page and a Socket.IO backend on ports of their own, and devproxy in front.

Owns the two child processes and the page they serve. Never proxies anything: the gateway in front of them is the one
that `devproxy up` runs, with the very arguments that the demo prints. Start reading at :func:`run`.

Needs the extra ``demo`` (python-socketio); aiohttp and python-socketio are imported by the children only.
"""

from devproxy.demo.supervise import run

__all__ = ["run"]
