"""The base URL of the target in one form, which connections, Host and WebSockets use. Pure."""

import ipaddress
import re
import unicodedata
from urllib.parse import SplitResult, quote, urlsplit

_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_BRACKETED = re.compile(r"\[[^\[\]]*\](?::[0-9]*)?")
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)")
# What a path may have (RFC 3986, section 3.3), brackets, which servers accept, and what is encoded already.
_PATH_CHARACTERS = "/-._~!$&'()*+,;=:@%[]"


def normal_base_url(text: str) -> str:
    """Return the base URL in its normal form. Raises ValueError, which names the remedy, if it has none.

    The scheme and the host are in small letters, the host without a dot at its end and as A-labels (RFC 5890); other
    characters of the path than ASCII are percent-encoded as UTF-8. There is no slash at the end.
    """
    parts = _parts_of(text)
    if "?" in text or "#" in text:
        raise ValueError("a base URL has no query and no fragment")
    if "@" in parts.netloc:
        raise ValueError("a base URL has no user and password; clients send Authorization instead")
    name = parts.hostname or ""
    host = _normal_address(name) if _BRACKETED.fullmatch(parts.netloc) else _normal_name(name)
    port = "" if parts.port is None else f":{parts.port}"
    if "\\" in parts.path:
        raise ValueError("it has a backslash: write / between the parts of a path")
    path = quote(parts.path, safe=_PATH_CHARACTERS, encoding="utf-8", errors="surrogateescape")
    return f"{parts.scheme}://{host}{port}{path}".rstrip("/")


def _parts_of(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets or a port that cannot be read
        fits = False
    if not fits or re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ValueError("this is not the URL of an API")
    return parts


def _normal_name(name: str) -> str:
    """Return a name, or an IPv4 address, as it is sent."""
    host = name.removesuffix(".")
    if not host.isascii():
        host = _a_labels(host)
    if not _HOST.fullmatch(host) or any(len(label) > 63 for label in host.split(".")) or len(host) > 253:
        raise ValueError("this is not the URL of an API")
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        return _normal_number(host)
    return host


def _normal_number(host: str) -> str:
    # Programs differ in what 127.1, 0177.0.0.1 and 2130706433 are: a name, or one of several addresses.
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise ValueError(
            "its host is a number that programs read differently: write an IPv4 address as four decimal numbers, such "
            "as 127.0.0.1"
        ) from None


def _normal_address(address: str) -> str:
    """Return an IPv6 address in its shortest form (RFC 5952), in brackets."""
    try:
        return f"[{ipaddress.IPv6Address(address)}]"
    except ValueError:
        raise ValueError("in brackets there is an IPv6 address, such as [::1]") from None


def _a_labels(host: str) -> str:
    """Return a name with other letters than ASCII as A-labels, such as xn--bcher-kva."""
    composed = unicodedata.normalize("NFC", host.lower())
    try:
        labels = composed.encode("idna").decode("ascii").lower()
        is_reversible = labels.encode("ascii").decode("idna") == composed
    except UnicodeError:
        is_reversible = False
    if not is_reversible:  # two standards encode it differently (RFC 5894, section 7.2), or none can
        raise ValueError("its host has characters that programs encode differently: write it as A-labels, xn--...")
    return labels
