"""Keys of clients: which one a request shows, and how high it may go. Pure.

A key is looked up by its SHA-256, so the ring has no secret, and compared in constant time. No key is ever part of an
error or of a log line.
"""

import enum
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

AUTHORIZATION = b"authorization"
_BEARER = re.compile(rb"bearer +([A-Za-z0-9\-._~+/]+=*) *", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the keys file: the SHA-256 of the key, its highest level, and whether the target gets its field."""

    name: str
    sha256: str
    highest: str
    forward: bool = True


class KeyState(enum.Enum):
    """What a request shows as its key."""

    UNUSED = "there is no keys file"
    MISSING = "no key"
    UNKNOWN = "a key that is not in the file"
    UNCLEAR = "the field stands on several lines"
    KNOWN = "a key of the file"


@dataclass(frozen=True, slots=True)
class KeyMatch:
    """The key that a request shows; None unless it is known."""

    state: KeyState
    key: Key | None = None


NO_KEYS = KeyMatch(KeyState.UNUSED)
_MISSING, _UNKNOWN, _UNCLEAR = KeyMatch(KeyState.MISSING), KeyMatch(KeyState.UNKNOWN), KeyMatch(KeyState.UNCLEAR)


class KeyRing:
    """All keys. Requests without a known one go no higher than `keyless_highest`, or are refused.

    `field` is the name, in small letters, of the field that has the key; None: `Authorization: Bearer KEY`.
    """

    def __init__(
        self, keys: Iterable[Key], keyless_highest: str, *, refuses_unknown: bool = False, field: bytes | None = None
    ) -> None:
        self.keyless_highest = keyless_highest
        self.refuses_unknown = refuses_unknown
        self.field = field or AUTHORIZATION
        self._is_bearer = field is None
        self._by_digest = {key.sha256: KeyMatch(KeyState.KNOWN, key) for key in keys}

    @property
    def names(self) -> list[str]:
        """The names of the keys."""
        return [match.key.name for match in self._by_digest.values() if match.key is not None]

    def match(self, fields: Sequence[tuple[bytes, bytes]]) -> KeyMatch:
        """Return the key in these fields of a request."""
        values = [value for name, value in fields if name.lower() == self.field]
        if len(values) > 1:
            return _UNCLEAR
        shown = self._key_in(values[0].strip(b" \t")) if values else b""
        if not shown:
            return _MISSING
        digest = hashlib.sha256(shown).hexdigest()
        found = self._by_digest.get(digest)
        is_known = found is not None and found.key is not None and hmac.compare_digest(digest, found.key.sha256)
        return found if found is not None and is_known else _UNKNOWN

    def highest_of(self, match: KeyMatch) -> str:
        """Return the highest level for requests that show this key."""
        return self.keyless_highest if match.key is None else match.key.highest

    def challenge(self, match: KeyMatch) -> str:
        """Return the value of WWW-Authenticate (RFC 9110, section 11.6.1) for a request that shows no known key."""
        if not self._is_bearer:
            return f'ApiKey realm="fast-priority", field="{self.field.decode("latin-1")}"'
        error = ', error="invalid_token"' if match.state is KeyState.UNKNOWN else ""
        return f'Bearer realm="fast-priority"{error}'

    def _key_in(self, value: bytes) -> bytes:
        if not self._is_bearer:
            return value
        found = _BEARER.fullmatch(value)
        return found[1] if found else b""
