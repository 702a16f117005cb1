"""Conditions on what was seen. Each function returns a pure judge; `everything` combines them.

Words for the page are short: they name what was seen, not what was wanted.
"""

from collections.abc import Callable

from tests.acceptance.fidelity.case import FINE, Judge, Seen, Verdict
from tests.acceptance.fidelity.messages import Message

_LONGEST_WORDS = 48
_BAD_GATEWAY = 502
CLIENT_ERRORS = range(400, 500)


def everything(*judges: Judge) -> Judge:
    """All of these must be right. The verdict is the first wrong one, else it has all notes."""

    def judge(seen: Seen) -> Verdict:
        verdicts = [one(seen) for one in judges]
        wrong = next((verdict for verdict in verdicts if not verdict.fine), None)
        return wrong or Verdict(True, ", ".join(verdict.words for verdict in verdicts if verdict.words))

    return judge


def either(*judges: Judge) -> Judge:
    """One of these must be right. If none is, the verdict is the first one."""

    def judge(seen: Seen) -> Verdict:
        verdicts = [one(seen) for one in judges]
        return next((verdict for verdict in verdicts if verdict.fine), verdicts[0])

    return judge


def noting(note: Callable[[Seen], str], judge: Judge) -> Judge:
    """This judge; a right verdict has a note that names which of two right results it was."""

    def noted(seen: Seen) -> Verdict:
        verdict = judge(seen)
        return Verdict(True, note(seen)) if verdict.fine else verdict

    return noted


def answered(*statuses: int) -> Judge:
    """The client got one complete final response, with one of these statuses."""

    def judge(seen: Seen) -> Verdict:
        finals = [response for response in seen.responses if response.is_final]
        if not finals:
            return Verdict(False, "closed without an answer" if not seen.rest else f"sent {_words(seen.rest)}")
        if finals[0].status not in statuses:
            return Verdict(False, f"answered {finals[0].status}")
        if len(finals) > 1 or seen.rest:
            return Verdict(False, "more than one answer")
        return FINE if finals[0].whole else Verdict(False, "the answer broke off")

    return judge


def answered_each(*statuses: int) -> Judge:
    """The client got exactly these statuses, in order, each in a complete final response."""

    def judge(seen: Seen) -> Verdict:
        finals = [response for response in seen.responses if response.is_final]
        got = [response.status for response in finals]
        if got != list(statuses) or seen.rest:
            missing = ["nothing"] if len(got) < len(statuses) else []
            return Verdict(False, "answered " + ", then ".join([*map(str, got), *missing]))
        return FINE if all(response.whole for response in finals) else Verdict(False, "an answer broke off")

    return judge


def requests(count: int, most: int | None = None) -> Judge:
    """The target received exactly this many requests, or up to `most`."""

    def judge(seen: Seen) -> Verdict:
        is_right = count <= len(seen.requests) <= (most or count)
        return FINE if is_right else Verdict(False, f"{len(seen.requests)} requests at the target")

    return judge


def of_request(what: str, look: Callable[[Message, Seen], object], *wanted: object) -> Judge:
    """The target received one request, in which `look` finds one of the wanted values; `what` names it."""

    def judge(seen: Seen) -> Verdict:
        if len(seen.requests) != 1:
            refused = seen.final.status if seen.final else "nothing"
            return Verdict(False, f"{len(seen.requests)} requests at the target, answered {refused}")
        return _found(what, look(seen.requests[0], seen), wanted)

    return judge


def of_response(what: str, look: Callable[[Message], object], *wanted: object) -> Judge:
    """The client received a final response, in which `look` finds one of the wanted values; `what` names it."""

    def judge(seen: Seen) -> Verdict:
        if seen.final is None:
            return Verdict(False, "closed without an answer")
        return _found(what, look(seen.final), wanted)

    return judge


def target_line(method: bytes, *request_targets: bytes) -> Judge:
    """The target received this method and one of these request targets."""
    return everything(
        of_request("method", lambda request, _: request.method, method),
        of_request("sent", lambda request, _: request.target, *request_targets),
    )


def target_has(name: str, *values: bytes) -> Judge:
    """The target received fields of this name with exactly these values, in order."""
    return of_request(name, lambda request, _: request.values(name), list(values))


def target_lacks(*names: str) -> Judge:
    """The target received no field of these names."""
    return everything(*(target_has(name) for name in names))


def target_body(body: bytes) -> Judge:
    """The target received this body."""
    return of_request("body", lambda request, _: request.body, body)


def client_has(name: str, *values: bytes) -> Judge:
    """The client received fields of this name with exactly these values, in order."""
    return of_response(name, lambda response: response.values(name), list(values))


def client_lacks(*names: str) -> Judge:
    """The client received no field of these names."""
    return everything(*(client_has(name) for name in names))


def client_body(body: bytes) -> Judge:
    """The client received this body."""
    return of_response("body", lambda response: response.body, body)


def closed(seen: Seen) -> Verdict:
    """The client's connection was closed."""
    return FINE if seen.ending == "closed" else Verdict(False, f"the connection was {seen.ending}")


def kept(seen: Seen) -> Verdict:
    """The client's connection still served."""
    return FINE if seen.ending == "kept" else Verdict(False, f"the connection was {seen.ending}")


def nothing_at_the_target(seen: Seen) -> Verdict:
    """Nothing of it reached the target."""
    if seen.requests:
        return Verdict(False, f"forwarded, as {_words(seen.requests[0].start)}")
    return FINE if not seen.scraps else Verdict(False, f"forwarded {_words(seen.scraps)}")


def refused(*statuses: int) -> Judge:
    """It was refused with one of these statuses, or any 4xx; the connection was closed, and nothing forwarded."""
    return everything(nothing_at_the_target, answered(*(statuses or CLIENT_ERRORS)), closed)


def refused_on_the_way() -> Judge:
    """It was refused when its body turned out malformed: a 4xx, closed, and the target never got all of it."""
    return everything(requests(0), answered(*CLIENT_ERRORS), closed)


def bad_gateway(most_attempts: int = 1) -> Judge:
    """The client got 502 in place of what the target sent, and nothing else."""
    return everything(requests(1, most_attempts), answered(_BAD_GATEWAY))


def never_a_clean_end(seen: Seen) -> Verdict:
    """The client can see that the response is not complete: it got 502, or the response broke off."""
    if seen.final is None:
        return Verdict(True, "closed without an answer")
    if seen.final.status == _BAD_GATEWAY:
        return Verdict(True, "502")
    return Verdict(False, "a clean end") if seen.final.whole else Verdict(True, "broken off")


def _found(what: str, found: object, wanted: tuple[object, ...]) -> Verdict:
    return FINE if found in wanted else Verdict(False, f"{what}: {_words(found)}")


def _words(found: object) -> str:
    if isinstance(found, list):
        found = b", ".join(found)
    raw = found if isinstance(found, bytes) else str(found).encode()
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in raw)
    return (text if len(text) <= _LONGEST_WORDS else text[:_LONGEST_WORDS] + "...") or "none"
