"""What one request asks of its own answer, by query parameter or by request field. Pure.

The knob `error_rate` is the query parameter `mock_error_rate` and the field `X-Mock-Error-Rate`, and so for each knob
of `mock_target.knobs` that a request may set. The query wins over the field; of several with one name the first counts.
"""

from collections.abc import Sequence
from urllib.parse import parse_qsl

from mock_target.settings.behaviour import NOTHING_SET, Behaviour
from mock_target.settings.knob import KnobError, name_nearest, read_value
from mock_target.settings.knob_table import KNOBS, KNOBS_BY_NAME, make_behaviour

_PARAMETER_PREFIX = "mock_"
_FIELD_PREFIX = b"x-mock-"
_FIELD_PREFIX_LENGTH = len(_FIELD_PREFIX)


def read_asked(query: bytes, fields: Sequence[tuple[bytes, bytes]]) -> Behaviour:
    """Read what a request asks for from its raw query and its fields (names in lower case).

    Raises KnobError for the first value that cannot be, and for a name that no knob has.
    """
    # knob -> (what the client calls it, value)
    given: dict[str, tuple[str, str]] = {}
    if b"mock_" in query:
        for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
            if name.startswith(_PARAMETER_PREFIX):
                given.setdefault(name.removeprefix(_PARAMETER_PREFIX), (name, value))
    for field_name, field_value in fields:
        if field_name[:_FIELD_PREFIX_LENGTH] == _FIELD_PREFIX:
            name = field_name.decode("latin-1")
            knob_name = name[_FIELD_PREFIX_LENGTH:].replace("-", "_")
            given.setdefault(knob_name, (name.title(), field_value.decode("latin-1")))
    if not given:
        return NOTHING_SET
    return make_behaviour({name: _read(name, called, value) for name, (called, value) in given.items()})


def _read(name: str, called: str, value: str) -> object:
    knob = KNOBS_BY_NAME.get(name)
    if knob is not None and knob.per_request:
        return read_value(knob.parse, value, called)
    if knob is not None:
        raise KnobError(called, value, "it holds for the whole mock; PATCH it to /__admin/settings")
    nearest = KNOBS_BY_NAME[name_nearest(name, [knob.name for knob in KNOBS if knob.per_request])]
    spelling = nearest.parameter if called.startswith(_PARAMETER_PREFIX) else nearest.field
    raise KnobError(called, value, f"no knob has this name; the nearest is {spelling}")
