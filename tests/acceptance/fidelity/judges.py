"""What can be asked of what was seen. Each makes a pure judge; `everything` puts them together.

Words for the page are short: they name what was seen, not what was wanted.
"""

from collections.abc import Callable

from tests.acceptance.fidelity.case import FINE, Judge, Seen, Verdict
from tests.acceptance.fidelity.messages import Message

_LONGEST_WORDS = 48
_BAD_GATEWAY = 502
CLIENT_ERRORS = range(400, 500)


def everything(*judges: Judge) -> Judge:
    """All of these; the first that is not fine speaks, else all notes do."""

    def judge(seen: Seen) -> Verdict:
        verdicts = [one(seen) for one in judges]
        wrong = next((verdict for verdict in verdicts if not verdict.fine), None)
        return wrong or Verdict(True, ", ".join(verdict.words for verdict in verdicts if verdict.words))

    return judge


def either(*judges: Judge) -> Judge:
    """Any of these; where none is fine, the first speaks."""

    def judge(seen: Seen) -> Verdict:
        verdicts = [one(seen) for one in judges]
        return next((verdict for verdict in verdicts if verdict.fine), verdicts[0])

    return judge


def noting(note: Callable[[Seen], str], judge: Judge) -> Judge:
    """This judge; where it is fine, with a note on which of two right ways was taken."""

    def noted(seen: Seen) -> Verdict:
        verdict = judge(seen)
        return Verdict(True, note(seen)) if verdict.fine else verdict

    return noted


def answered(*statuses: int) -> Judge:
    """The client got one whole final response, with one of these statuses."""

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
    """The client got as many whole final responses, with these statuses, in order."""

    def judge(seen: Seen) -> Verdict:
        finals = [response for response in seen.responses if response.is_final]
        got = [response.status for response in finals]
        if got != list(statuses) or seen.rest:
            missing = ["nothing"] if len(got) < len(statuses) else []
            return Verdict(False, "answered " + ", then ".join([*map(str, got), *missing]))
        return FINE if all(response.whole for response in finals) else Verdict(False, "an answer broke off")

    return judge


def requests(count: int, most: int | None = None) -> Judge:
    """The target received exactly so many requests, or up to `most`."""

    def judge(seen: Seen) -> Verdict:
        is_right = count <= len(seen.requests) <= (most or count)
        return FINE if is_right else Verdict(False, f"{len(seen.requests)} requests at the target")

    return judge


def of_request(what: str, look: Callable[[Message, Seen], object], *wanted: object) -> Judge:
    """The target received one request, in which `look` finds one of what is wanted; `what` names it."""

    def judge(seen: Seen) -> Verdict:
        if len(seen.requests) != 1:
            refused = seen.final.status if seen.final else "nothing"
            return Verdict(False, f"{len(seen.requests)} requests at the target, answered {refused}")
        return _found(what, look(seen.requests[0], seen), wanted)

    return judge


def of_response(what: str, look: Callable[[Message], object], *wanted: object) -> Judge:
    """The client received a final response, in which `look` finds one of what is wanted; `what` names it."""

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
    """Not one byte of it reached the target."""
    if seen.requests:
        return Verdict(False, f"forwarded, as {_words(seen.requests[0].start)}")
    return FINE if not seen.scraps else Verdict(False, f"forwarded {_words(seen.scraps)}")


def refused(*statuses: int) -> Judge:
    """It was refused with one of these statuses, or any 4xx; the connection was closed, and nothing forwarded."""
    return everything(nothing_at_the_target, answered(*(statuses or CLIENT_ERRORS)), closed)


def refused_on_the_way() -> Judge:
    """It was refused once its body turned out wrong: a 4xx, closed, and the target never has it whole."""
    return everything(requests(0), answered(*CLIENT_ERRORS), closed)


def bad_gateway(most_attempts: int = 1) -> Judge:
    """The client was told 502 in the place of what the target sent, and nothing else."""
    return everything(requests(1, most_attempts), answered(_BAD_GATEWAY))


def never_a_clean_end(seen: Seen) -> Verdict:
    """The client can tell that it has not got everything: it was told 502, or the response broke off."""
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
