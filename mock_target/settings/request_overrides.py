"""The behaviour that one request sets for its own response, by query parameter or request field. Pure.

The knob `error_rate` is the query parameter `mock_error_rate` and the field `X-Mock-Error-Rate`, and so for each knob
that a request may set. The query overrides the field; of several with one name the first counts.
"""

from collections.abc import Sequence
from urllib.parse import parse_qsl

from mock_target.settings.behaviour import NOTHING_SET, Behaviour
from mock_target.settings.knob import KnobError, nearest_name, read_value
from mock_target.settings.knob_table import KNOBS, KNOBS_BY_NAME, make_behaviour

_PARAMETER_PREFIX = "mock_"
_FIELD_PREFIX = b"x-mock-"
_FIELD_PREFIX_LENGTH = len(_FIELD_PREFIX)


def read_overrides(query: bytes, fields: Sequence[tuple[bytes, bytes]]) -> Behaviour:
    """Return what a request sets in its raw query and its fields (names in lower case).

    Raises KnobError for the first invalid value, and for an unknown knob.
    """
    # knob -> (the name that the client used, value)
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
    return make_behaviour({name: _read(name, label, value) for name, (label, value) in given.items()})


def _read(name: str, label: str, value: str) -> object:
    knob = KNOBS_BY_NAME.get(name)
    if knob is not None and knob.per_request:
        return read_value(knob.parse, value, label)
    if knob is not None:
        raise KnobError(label, value, "it applies to the whole mock; PATCH it to /__admin/settings")
    nearest = KNOBS_BY_NAME[nearest_name(name, [knob.name for knob in KNOBS if knob.per_request])]
    spelling = nearest.parameter if label.startswith(_PARAMETER_PREFIX) else nearest.field
    raise KnobError(label, value, f"unknown knob; the nearest is {spelling}")
