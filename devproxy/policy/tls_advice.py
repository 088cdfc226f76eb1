"""What people read when there is no TLS with a server: why, which certificate it was, and the line to write. Pure.

Start at :func:`words_on_tls`; :func:`facts_of_certificate` has the rest.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from devproxy.config.model import SYSTEM, Scheme, ServerAddress, Upstream
from devproxy.config.problems import key_text
from devproxy.errors import SeenCertificate, TlsCause, TlsFailure
from devproxy.text.safe import clipped

_MAX_NAMES: Final = 5


class TlsWords(NamedTuple):
    """``what``: a clause about the server, in lower case, without a full stop. ``help``: sentences."""

    what: str
    help: str


class Settings(NamedTuple):
    """What an upstream says of TLS, as far as advice depends on it.

    ``host``: of the server, as the certificate has to have it. ``table``: in which the lines are written.
    ``authorities``: ``tls_ca``.
    """

    host: str
    table: str
    authorities: tuple[str, ...] = (SYSTEM,)


def tls_settings(upstream: Upstream, server: ServerAddress) -> Settings | None:
    """Return what `upstream` says of TLS with `server`, one of its own; None: it is not spoken to by https."""
    if server.scheme is not Scheme.HTTPS:
        return None
    return Settings(server.host, f"[upstreams.{key_text(upstream.name)}]", upstream.tls_ca)


_MKCERT: Final = "with mkcert, `rootCA.pem` in the folder that `mkcert -CAROOT` prints"


def words_on_tls(failure: TlsFailure, settings: Settings) -> TlsWords:
    """Return what is to be said of `failure` at a server of an upstream with `settings`."""
    certificate, host, table = failure.certificate, settings.host, settings.table
    accept = f"`tls_verify = false` in {table}, which then accepts any certificate"
    match failure.cause:
        case TlsCause.SELF_SIGNED:
            what = "its certificate is self-signed, and nothing here trusts it"
            line = _line_for(settings.authorities, "server.pem")
            help = f"Name a copy of that certificate in {table}: {line}. Only if you cannot get one: {accept}."
        case TlsCause.UNTRUSTED:
            who = f" ({clipped(certificate.issuer, 80)})" if certificate is not None and certificate.issuer else ""
            what = f"its certificate is signed by an authority that is not trusted here{who}"
            line = _line_for(settings.authorities, "ca.pem")
            help = (
                f"Name the certificate of that authority in {table}: {line} ({_MKCERT}). If it is a public authority, "
                f"let the server send its whole chain. Only if there is no other way: {accept}."
            )
        case TlsCause.EXPIRED | TlsCause.NOT_YET_VALID:
            what = _dates(failure)
            help = f"Renew the certificate, or check the clock of this machine. Until then: {accept}."
        case TlsCause.WRONG_NAME:
            whose = f"for {_listed(certificate.names)}" if certificate and certificate.names else "for another name"
            what = f"its certificate is {whose}, not for {host}"
            help = (
                "Write the name that it is for in the URL of the upstream. Only if that leads elsewhere: "
                f"{accept} and any name."
            )
        case TlsCause.UNFIT:
            what = f"its certificate cannot be used: {failure.reason}"
            help = f"Make another one for it, for example with mkcert. Until then: {accept}."
        case _:
            return _WORDS[failure.cause](failure, settings)
    return TlsWords(what, help)


def _client_wanted(failure: TlsFailure, settings: Settings) -> TlsWords:
    what = "it wants to see a certificate of its client, and devproxy has none to show"
    return TlsWords(what, f'Name one in {settings.table}: `tls_cert = "client.pem"` and `tls_key = "client-key.pem"`.')


def _client_refused(failure: TlsFailure, settings: Settings) -> TlsWords:
    what = f"it does not accept the certificate that devproxy shows ({failure.reason})"
    help = f"Name one in `tls_cert` and `tls_key` in {settings.table} that the server's own settings accept."
    return TlsWords(what, help)


def _plain_http(failure: TlsFailure, settings: Settings) -> TlsWords:
    return TlsWords("what it answered is not TLS", "Use http:// instead of https:// if it speaks plain HTTP there.")


def _nothing_in_common(failure: TlsFailure, settings: Settings) -> TlsWords:
    what = f"it and devproxy have no version of TLS or no cipher in common ({failure.reason})"
    return TlsWords(what, "Let the server speak TLS 1.2 or 1.3, and HTTP/1.1 if it asks for a protocol.")


def _unknown_name(failure: TlsFailure, settings: Settings) -> TlsWords:
    what = f"it has no certificate for the name {settings.host}"
    return TlsWords(what, "Write the name that it knows in the URL of the upstream, or add this one to the server.")


def _refused(failure: TlsFailure, settings: Settings) -> TlsWords:
    help = (
        "Look at the server's own log. It may want a certificate of its client: "
        f'`tls_cert = "client.pem"` and `tls_key = "client-key.pem"` in {settings.table}.'
    )
    return TlsWords("it refused the TLS handshake without saying why", help)


def _cut_short(failure: TlsFailure, settings: Settings) -> TlsWords:
    help = "Check that it speaks TLS on that port (if not, write http://), and look at the server's own log."
    return TlsWords("it closed the connection within the TLS handshake", help)


def _own_files(failure: TlsFailure, settings: Settings) -> TlsWords:
    help = f"Put the files back that `tls_ca`, `tls_cert` and `tls_key` in {settings.table} name."
    return TlsWords(f"TLS was not begun with it: {failure.reason}", help)


def _other(failure: TlsFailure, settings: Settings) -> TlsWords:
    help = "Look at the server's own log, and use http:// if it speaks plain HTTP."
    return TlsWords(f"the TLS handshake failed: {failure.reason or 'no reason was given'}", help)


_WORDS: Final = {
    TlsCause.CLIENT_WANTED: _client_wanted,
    TlsCause.CLIENT_REFUSED: _client_refused,
    TlsCause.PLAIN_HTTP: _plain_http,
    TlsCause.NOTHING_IN_COMMON: _nothing_in_common,
    TlsCause.UNKNOWN_NAME: _unknown_name,
    TlsCause.REFUSED: _refused,
    TlsCause.CUT_SHORT: _cut_short,
    TlsCause.OWN_FILES: _own_files,
    TlsCause.OTHER: _other,
}


def _line_for(authorities: tuple[str, ...], file: str) -> str:
    """Return the line that trusts `file` besides what is trusted already. To trust it alone is safest, and usual."""
    if authorities == (SYSTEM,):
        return f'`tls_ca = "{file}"`'
    return f"""`tls_ca = [{", ".join(f'"{one}"' for one in (*authorities, file))}]`"""


def _dates(failure: TlsFailure) -> str:
    certificate = failure.certificate
    if failure.cause is TlsCause.EXPIRED:
        when = f"on {certificate.not_after} UTC" if certificate and certificate.not_after else ""
        return f"its certificate expired {when}" if when else "its certificate has expired"
    when = f" before {certificate.not_before} UTC" if certificate and certificate.not_before else " yet"
    return f"its certificate is not valid{when}"


def facts_of_certificate(certificate: SeenCertificate | None) -> list[tuple[str, str]]:
    """Return what is known of a server's certificate, as name and value: the same on the page, in JSON and as text."""
    if certificate is None:
        return []
    is_own = certificate.subject == certificate.issuer
    facts = [
        ("certificate", certificate.subject or "without a name"),
        ("certificate signed by", "itself" if is_own else certificate.issuer or "an authority without a name"),
        ("certificate for", _listed(certificate.names) if certificate.names else "no name"),
    ]
    if certificate.not_before and certificate.not_after:
        facts.append(("certificate valid", f"{certificate.not_before} to {certificate.not_after} UTC"))
    return facts


def certificate_text(certificate: SeenCertificate | None) -> str:
    """Return the same on one line of the terminal; empty for no certificate."""
    facts = facts_of_certificate(certificate)
    return "; ".join(f"{name.removeprefix('certificate ')} {value}" for name, value in facts)


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
