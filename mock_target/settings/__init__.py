"""What can be set, as values: the table of knobs, the behaviour they add up to, and how text and JSON are read. Pure.

- `knob`, `knob_table`: what a knob is, and all of them
- `behaviour`, `latency`: the values; `value_parsers`: how text becomes one
- `routes`, `model`: the default behaviour, and routes that override it
- `request_overrides`, `json_format`: the same from one request, and from JSON
- `response_plan`: what one request gets, with the random draws made
"""

from mock_target.settings.behaviour import NOTHING_SET, Behaviour, Dribble, Fault
from mock_target.settings.json_format import decode_json, read_settings, write_settings
from mock_target.settings.knob import Knob, KnobError, nearest_name, read_value
from mock_target.settings.knob_table import FAULTS, KNOBS, KNOBS_BY_NAME, MAX_TOKENS
from mock_target.settings.model import DEFAULT_LOG_SIZE, MockSettings, Settings
from mock_target.settings.request_overrides import read_overrides
from mock_target.settings.response_plan import Draws, ResponsePlan, draw, plan_response
from mock_target.settings.value_parsers import MAX_SECONDS, parse_seconds, whole_number_parser

__all__ = [
    "DEFAULT_LOG_SIZE",
    "FAULTS",
    "KNOBS",
    "KNOBS_BY_NAME",
    "MAX_SECONDS",
    "MAX_TOKENS",
    "NOTHING_SET",
    "Behaviour",
    "Draws",
    "Dribble",
    "Fault",
    "Knob",
    "KnobError",
    "MockSettings",
    "ResponsePlan",
    "Settings",
    "decode_json",
    "draw",
    "nearest_name",
    "parse_seconds",
    "plan_response",
    "read_overrides",
    "read_settings",
    "read_value",
    "whole_number_parser",
    "write_settings",
]
