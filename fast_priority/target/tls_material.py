"""Certificates and keys for TLS to the target, read from PEM files. Each error names the variable and the remedy."""

import ssl
from pathlib import Path

from fast_priority.errors import ConfigurationError
from fast_priority.settings import tls_variable

_MOST_BYTES = 16 * 1024 * 1024  # the system's own file of authorities has less than 1 MiB
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_KEYS = (b"-----BEGIN PRIVATE KEY-----", b"-----BEGIN RSA PRIVATE KEY-----", b"-----BEGIN EC PRIVATE KEY-----")
_ENCRYPTED = (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED")


def trust_file(context: ssl.SSLContext, path: str) -> None:
    """Let a context trust the authorities in a file. Raises ConfigurationError."""
    content = _read("CA", path)
    if _CERTIFICATE not in content and b"-----BEGIN TRUSTED CERTIFICATE-----" not in content:
        raise _refusal("CA", path, "it has no certificate in PEM form", "give a file with CA certificates")
    try:
        context.load_verify_locations(cafile=path)
    except (ssl.SSLError, OSError):
        raise _refusal("CA", path, "a certificate in it is damaged", "give a file with CA certificates") from None


def present_files(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Let a context present the certificate in a file, with the key in another or the same. Raises ConfigurationError.

    Nobody can be asked for a password, so an encrypted key is refused.
    """
    if _CERTIFICATE not in _read("CERT", cert):
        raise _refusal("CERT", cert, "it has no certificate in PEM form", "give the file of the client certificate")
    content = _read("KEY", key)
    if any(mark in content for mark in _ENCRYPTED):
        raise _refusal("KEY", key, "the key is encrypted", "give a key without a password, such as from openssl pkey")
    if not any(mark in content for mark in _KEYS):
        raise _refusal("KEY", key, "it has no private key in PEM form", "give the file of the certificate's key")
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except (ssl.SSLError, OSError) as error:
        if getattr(error, "reason", None) in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
            reason, remedy = "the key does not fit the certificate", f"give the key of {tls_variable('CERT')}"
        else:
            reason, remedy = (
                "the key or its certificate is damaged",
                f"write both again; {tls_variable('CERT')} is the other",
            )
        raise _refusal("KEY", key, reason, remedy) from None


def _read(name: str, path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise _refusal(name, path, reason, "give a PEM file that this user can read") from None
    if len(content) > _MOST_BYTES:
        raise _refusal(name, path, "it is larger than 16 MiB", "give a PEM file")
    return content


def _refusal(name: str, path: str, reason: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"{tls_variable(name)}={path!r} cannot be used ({reason}): {remedy}")


def _no_password() -> str:
    raise OSError("no password can be asked for")  # else OpenSSL would ask on the terminal
