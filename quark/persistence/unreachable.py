"""What to tell when a service cannot be reached: what happened, and what its user can do.

Most certificates that fail are a company's own, of an authority that this Python does not know. So
a refusal by TLS says where trust comes from.
"""

from __future__ import annotations

import ssl

from quark.errors import SessionStoreError

#: The codes of OpenSSL for a name or an address that is not in the certificate.
_OTHER_HOST = frozenset({62, 64})
_OUT_OF_DATE = frozenset({9, 10})

_LOOK = "Look whether QUARK_PERSISTENCE_URL is right and the service runs."
_TRUST = (
    "If an authority of your own signed it, set SSL_CERT_FILE to a file with that authority's "
    "certificate (PEM)."
)


def unreachable(target: str, error: Exception) -> SessionStoreError:
    """Return what is raised for ``error``, which a connection to ``target`` ended with."""
    cause = _tls_error(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return SessionStoreError(
            f"{target} cannot be reached: its certificate is refused: {_sentence(cause)} "
            f"{_certificate_advice(cause)}"
        )
    if cause is not None and cause.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
        return SessionStoreError(
            f"{target} cannot be reached: what listens there does not speak TLS. If the service "
            "runs without TLS, QUARK_PERSISTENCE_URL begins with http://."
        )
    also = ""
    if target.startswith("http:") and "without sending a response" in str(error):
        also = " If it speaks TLS, the URL begins with https://."
    return SessionStoreError(f"{target} cannot be reached: {_sentence(error)} {_LOOK}{also}")


def trusted_authorities() -> ssl.SSLContext:
    """Return what certificates are checked with: ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` if one is
    set, else the authorities that come with httpx.

    Raises:
        SessionStoreError: That file cannot be used.
    """
    import httpx

    try:
        return httpx.create_ssl_context(trust_env=True)
    except OSError as error:  # ssl.SSLError is one
        raise SessionStoreError(
            f"The certificates that SSL_CERT_FILE names cannot be used: {_sentence(error)} It must "
            "be a file with certificates in PEM."
        ) from error


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    found: BaseException | None = error
    while found is not None and not isinstance(found, ssl.SSLError):
        found = found.__cause__ or found.__context__
    return found


def _certificate_advice(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _OTHER_HOST:
        return "QUARK_PERSISTENCE_URL must have a host that the certificate is for."
    if error.verify_code in _OUT_OF_DATE:
        return "Look whether this machine's clock is right; else the service needs a new one."
    return _TRUST


def _sentence(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        text = error.verify_message
    else:
        text = str(error) or type(error).__name__
    return text.rstrip(".") + "."
