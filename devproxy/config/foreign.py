"""What people write from habit, and what says the same here: keys of other proxies, variables as shells write them.

Start at :func:`translation` and :func:`meant_variable`.
"""

from __future__ import annotations

import re
from typing import Any, Final

from devproxy.text.safe import quoted

_OWN_HOST: Final = (
    'public servers get their own Host automatically; for any other server write host = "upstream", and '
    'origin = "upstream" too if the server is Django'
)
_ALIASES: Final[dict[tuple[str, str], str]] = {
    ("", "upstream"): "did you mean `[upstreams]`?",
    ("", "route"): "did you mean `[[routes]]`?",
    ("", "port"): 'write listen = "localhost:8080" below [server]',
    ("", "proxy"): "write one [[routes]] for each path, with `path` and `upstream`",
    ("server", "port"): 'write listen = "localhost:8080"',
    ("server", "host"): 'write listen = "localhost:8080"',
    ("routes.*", "target"): 'name the server below [upstreams] and write upstream = "its name"',
    ("routes.*", "prefix"): "did you mean `path`?",
    ("routes.*", "method"): "did you mean `methods`?",
    ("routes.*", "changeorigin"): f"remove it: {_OWN_HOST}",
    ("upstreams.*", "changeorigin"): f"remove it: {_OWN_HOST}, in the route",
    ("routes.*", "rewritewsorigin"): 'write origin = "upstream"',
    ("routes.*", "ws"): "remove it: WebSockets need no setting",
    ("routes.*", "cookiedomainrewrite"): "write cookies.domain, for the old names or for all",
    ("routes.*", "cookiepathrewrite"): 'remove it: cookies.path = "auto" follows the route',
    ("routes.*", "autorewrite"): 'remove it: redirects = "map" is the default',
    ("routes.*", "hostrewrite"): 'remove it: redirects = "map" is the default',
    ("routes.*", "protocolrewrite"): 'remove it: redirects = "map" is the default',
    ("routes.*.cors", "origin"): "did you mean `origins`?",
    ("routes.*.cors", "alloworigins"): "did you mean `origins`?",
    ("routes.*.cors", "allowedorigins"): "did you mean `origins`?",
    ("routes.*.cors", "allowmethods"): "did you mean `methods`?",
    ("routes.*.cors", "allowedmethods"): "did you mean `methods`?",
    ("routes.*.cors", "allowheaders"): "did you mean `headers`?",
    ("routes.*.cors", "allowedheaders"): "did you mean `headers`?",
    ("routes.*.cors", "exposeheaders"): "did you mean `expose`?",
    ("routes.*.cors", "exposedheaders"): "did you mean `expose`?",
    ("routes.*.cors", "allowcredentials"): "did you mean `credentials`?",
    ("routes.*.cors", "supportscredentials"): "did you mean `credentials`?",
    ("routes.*.cors", "maxage"): "did you mean `max_age_s`?",
    ("routes.*.fault", "delay"): "did you mean `latency_ms`?",
    ("routes.*.fault", "status"): "did you mean `error_status`?",
    ("upstreams.*", "url"): 'write servers = ["http://localhost:3001"]',
    ("upstreams.*", "server"): "did you mean `servers`?",
    ("upstreams.*", "httpsproxy"): 'write proxy = "http://proxy.example:3128"',
    ("upstreams.*", "httpproxy"): 'write proxy = "http://proxy.example:3128"',
    ("server", "proxy"): 'write proxy = "http://proxy.example:3128" below each [upstreams.NAME] that needs it',
    **{("run.*", word): "did you mean `command`?" for word in ("cmd", "exec", "script", "run", "args")},
    **{("run.*", word): "did you mean `folder`?" for word in ("cwd", "dir", "directory", "path", "workingdirectory")},
    **{("run.*", word): "did you mean `env`?" for word in ("environment", "vars", "variables")},
    ("", "programs"): "write [run.NAME] with `command` below it, for each of them",
    ("", "processes"): "write [run.NAME] with `command` below it, for each of them",
    ("", "commands"): "write [run.NAME] with `command` below it, for each of them",
    ("upstreams.*", "command"): "write it below [run.NAME], NAME being that of the upstream",
    ("upstreams.*", "target"): 'write servers = ["http://localhost:3001"]',
}
"""Words of other proxies, and what says the same here."""

_VERIFYING: Final = frozenset(
    ("secure", "rejectunauthorized", "verify", "verifyssl", "verifytls", "sslverify", "strictssl", "proxysslverify")
)
_NOT_VERIFYING: Final = frozenset(("insecure", "skipverify", "insecureskipverify", "tlsinsecureskipverify"))
"""Words of other proxies for whether an upstream's certificate has to be good."""
_AUTHORITY: Final = frozenset(("ca", "cafile", "cacert", "tlsca", "sslca", "proxyssltrustedcertificate"))
"""Their words for the authority that has signed it."""
_OWN: Final = {
    **dict.fromkeys(("cert", "clientcert", "certfile", "sslcert"), 'tls_cert = "client.pem"'),
    **dict.fromkeys(("clientkey", "keyfile", "sslkey"), 'tls_key = "client-key.pem"'),
}
"""Their words for the certificate that a client shows."""
_TLS_PLACES: Final = ("", "server", "upstreams.*", "routes.*")


_SHELL: Final = r"\$\{([A-Z_][A-Z0-9_]*)(?::?-[^{}]*)?\}|\$([A-Z_][A-Z0-9_]*)"


def meant_variable(text: object) -> str:
    """Return what to write where `text` names a variable as a shell or a compose file does; empty: it names none."""
    match = re.search(_SHELL, text) if isinstance(text, str) and "$" in text else None
    return f"for a variable of the environment, write ${{env:{match[1] or match[2]}}}" if match else ""


def translation(name: str, value: Any, key_path: str) -> str:
    """Return what to write instead of the key `name` with `value` in the table at `key_path`; empty for none."""
    word = name.lower().replace("-", "").replace("_", "")
    alias = _ALIASES.get((key_path, word), "")
    if word == "port" and isinstance(value, int):
        alias = alias.replace("8080", str(value))
    return alias or (_help_on_tls(word, value, key_path) if key_path in _TLS_PLACES else "")


def _help_on_tls(name: str, value: Any, key_path: str) -> str:
    """Return what is written here for the word `name` of other proxies about an upstream's certificate, or nothing."""
    trusting = 'write tls_ca = "ca.pem" below [upstreams.NAME]'
    if name in _AUTHORITY:
        file = quoted(value) if isinstance(value, str) and value else '"ca.pem"'
        return f"write tls_ca = {file}" + ("" if key_path == "upstreams.*" else " below [upstreams.NAME]")
    if name in _OWN:
        return f"write {_OWN[name]} below [upstreams.NAME]"
    if name not in _VERIFYING and name not in _NOT_VERIFYING:
        return ""
    is_said = value not in (False, 0, "false", "")
    if is_said is (name in _VERIFYING):
        return "remove it: certificates are verified unless tls_verify = false is set below [upstreams.NAME]"
    return f"{trusting}; or, to accept any certificate, write tls_verify = false below [upstreams.NAME]"
