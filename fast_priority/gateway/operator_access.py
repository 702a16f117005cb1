"""Who may read the pages for operators: a client that has the token or, where there is none, one on this machine."""

import hmac

from starlette.types import Scope

from fast_priority.errors import OperatorsOnly, OperatorTokenRequired
from fast_priority.http.trusted_proxies import address_of
from fast_priority.settings import PREFIX

_SCHEME = b"bearer "
# A proxy on this machine connects from here, too. It says that it passes on the request of somebody else.
_OF_A_PROXY = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"})


def check_operator(scope: Scope, token: str | None) -> None:
    """Raise OperatorTokenRequired for a request without the token; if there is none, OperatorsOnly for a remote one."""
    if token is None:
        if not _is_from_here(scope):
            raise OperatorsOnly(
                f"{PREFIX}OPERATOR_TOKEN is not set at the gateway, so only clients on its machine may read this page, "
                f"and not through a proxy: set the variable, and send its value as `Authorization: Bearer ...`"
            )
        return
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    is_bearer = len(given) == 1 and given[0][: len(_SCHEME)].lower() == _SCHEME
    # Compared also without one, so that the time says nothing of the token.
    shown = given[0][len(_SCHEME) :].strip() if is_bearer else b""
    if not hmac.compare_digest(shown, token.encode()):
        raise OperatorTokenRequired(f"send the value of {PREFIX}OPERATOR_TOKEN as `Authorization: Bearer ...`")


def _is_from_here(scope: Scope) -> bool:
    client = scope.get("client")
    address = address_of(client[0]) if client else None
    is_loopback = address is not None and address.is_loopback
    return is_loopback and not any(name in _OF_A_PROXY for name, _ in scope["headers"])
