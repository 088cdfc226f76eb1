"""Certificates for HTTPS on this machine: which names they carry, who signs them, and the contexts that show them.

Owns the rule which name gets which certificate (:mod:`names`, pure), the authority that signs (:mod:`authority`: that
of mkcert where there is one, else devproxy's own), the files of both (:mod:`folders`), files of other people's making
(:mod:`files`) and the TLS contexts (:mod:`contexts`). Never decides whom a system trusts (that is ``devproxy.trust``)
and never speaks TLS itself. Nothing imports this room while ``tls`` is off and no server is spoken to by https, and
only :mod:`making` needs the package cryptography: where a certificate is there already, it is not imported. See
docs/adr/0011-own-authority.md. Start at :class:`contexts.LocalCertificates`.
"""
