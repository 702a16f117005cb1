"""Why a TLS connection to the target was not made, in words for the log, for health and for the client. Pure.

The words name no file, no host and no part of a certificate.
"""

import ssl
from collections.abc import Mapping, Sequence

CLOSED = "it closed the connection during the TLS handshake"
_DEMANDED = "it demands a client certificate (FAST_PRIORITY_TARGET_TLS_CERT)"
_NOT_ACCEPTED = "it does not accept the client certificate (FAST_PRIORITY_TARGET_TLS_CERT)"
_UNKNOWN_AUTHORITY = "its certificate is of an authority that is not trusted (FAST_PRIORITY_TARGET_TLS_CA)"
_OTHER_NAME = "its certificate is for another host name"

_BY_VERIFY_CODE = {  # OpenSSL's X509_V_ERR_* numbers
    2: _UNKNOWN_AUTHORITY,
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is self-signed and not trusted (FAST_PRIORITY_TARGET_TLS_CA)",
    19: _UNKNOWN_AUTHORITY,
    20: _UNKNOWN_AUTHORITY,
    21: _UNKNOWN_AUTHORITY,
    23: "its certificate was revoked",
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}

# The words for each of OpenSSL's reasons. Those of alerts are named after the version that introduced them.
_ABOUT_CLIENT_CERTIFICATE = {
    _DEMANDED: ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "TLSV1_ALERT_CERTIFICATE_REQUIRED"),
    _NOT_ACCEPTED: (
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV1_ALERT_ACCESS_DENIED",
        "TLSV1_ALERT_UNKNOWN_CA",
    ),
}
_ABOUT_HANDSHAKE = {
    "it does not speak TLS at this port: it may speak plain HTTP": (
        "HTTP_REQUEST",
        "PACKET_LENGTH_TOO_LONG",
        "RECORD_LAYER_FAILURE",
        "WRONG_VERSION_NUMBER",
    ),
    "it speaks no version of TLS that the gateway accepts (1.2 or newer)": (
        "NO_PROTOCOLS_AVAILABLE",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "UNSUPPORTED_PROTOCOL",
        "VERSION_TOO_LOW",
    ),
    "it refused the TLS handshake: it may demand a client certificate (FAST_PRIORITY_TARGET_TLS_CERT), or other "
    "ciphers": ("NO_SHARED_CIPHER", "SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV1_ALERT_INSUFFICIENT_SECURITY"),
    "it does not know the host name of FAST_PRIORITY_TARGET_BASE_URL": (
        "SSLV3_ALERT_UNRECOGNIZED_NAME",
        "TLSV1_UNRECOGNIZED_NAME",
    ),
    CLOSED: ("UNEXPECTED_EOF_WHILE_READING",),
}


def _by_reason(table: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {reason: words for words, reasons in table.items() for reason in reasons}


_BY_ALERT = _by_reason(_ABOUT_CLIENT_CERTIFICATE)
_BY_REASON = _BY_ALERT | _by_reason(_ABOUT_HANDSHAKE)


def tls_problem(error: BaseException | None) -> str:
    """Return why a handshake failed with this error."""
    if isinstance(error, ssl.SSLCertVerificationError):
        code = getattr(error, "verify_code", 0)
        return _BY_VERIFY_CODE.get(code, f"its certificate is not trusted (OpenSSL's verification error {code})")
    reason = _reason(error)
    return _BY_REASON.get(reason, f"no TLS connection could be made{f' ({reason})' if reason else ''}")


def refusal_of_client_certificate(error: BaseException | None) -> str | None:
    """Return why the target closed a connection after the handshake; None if that was not for a client certificate.

    With TLS 1.3, a client has completed its handshake before the target looks at the client's certificate.
    """
    return _BY_ALERT.get(_reason(error))


def _reason(error: BaseException | None) -> str:
    return (getattr(error, "reason", None) or "").replace(" ", "_").upper() if isinstance(error, ssl.SSLError) else ""
