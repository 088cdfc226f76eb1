"""What to do where a server on the machine outside of devproxy's container cannot be reached. Pure.

Start at :func:`advice_on_host`.
"""

from __future__ import annotations

from typing import Final

NAMES: Final = ("host.docker.internal", "host.containers.internal")
"""What Docker and Podman call that machine."""


def advice_on_host(host: str, *, is_known: bool) -> str:
    """Return what to do about `host`, a server's name; empty where it is none of :data:`NAMES`.

    `is_known`: the name has an address, and nothing takes connections there.
    """
    name = host.lower().removesuffix(".")
    if name not in NAMES:
        return ""
    if not is_known:
        return (
            f"The name exists only where the container is given it. In the compose file, in the service of devproxy: "
            f'`extra_hosts: ["{name}:host-gateway"]`; for `docker run`: `--add-host={name}:host-gateway`.'
        )
    return (
        f"`{name}` is the machine outside of the container. A server there has to listen on more than 127.0.0.1 "
        '(`vite --host`, `server.listen(3001, "0.0.0.0")`), and its firewall has to let containers in.'
    )
