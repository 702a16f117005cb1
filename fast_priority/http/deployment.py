"""The name of a deployment: all gateways on one Redis have the same, and by it they recognise a loop."""

import re
import secrets

PSEUDONYM = b"fast-priority"
"""How the names begin. A pseudonym, and no host name, which concerns nobody outside (RFC 9110, section 7.6.3)."""
IDENTITY_CHARACTERS = 16

_IDENTITY = re.compile(rb"[0-9a-f]{16}")
_MOST_NAMES = 8


class Deployment:
    """Knows the name that this gateway writes into Via, and the names that it has written there before.

    The name is a random one of this gateway's own until `adopt` is told what the others on the same Redis use.
    """

    def __init__(self) -> None:
        self._identity = secrets.token_hex(IDENTITY_CHARACTERS // 2).encode()
        self.names: tuple[bytes, ...] = (_name(self._identity),)
        """The name, then up to seven former ones: requests that carry one of them may still be under way."""

    @property
    def name(self) -> bytes:
        """Return what the gateway calls itself in Via, such as `fast-priority-3f9c2a7be1d04c55`."""
        return self.names[0]

    @property
    def identity(self) -> bytes:
        """Return what differs between the names of two deployments: 16 hexadecimal digits."""
        return self._identity

    def adopt(self, identity: bytes) -> bool:
        """Use this identity from now on; return False, and change nothing, if it is not a valid one."""
        if not _IDENTITY.fullmatch(identity):
            return False
        self._identity, name = identity, _name(identity)
        if name != self.name:
            others = [one for one in self.names if one != name]
            self.names = (name, *others[: _MOST_NAMES - 1])
        return True


def _name(identity: bytes) -> bytes:
    return PSEUDONYM + b"-" + identity
