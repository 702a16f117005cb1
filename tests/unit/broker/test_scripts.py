"""Lua scripts: each takes its keys and arguments by name."""

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, NamedTuple, get_args, get_type_hints

import pytest

from fast_priority.broker import scripts
from fast_priority.broker.scripts import ScriptCall, script_call
from fast_priority.broker.scripts.script_call import (
    Flag,
    Key,
    LaneKeys,
    LaneNumbers,
    Lanes,
    Number,
    Rows,
    Text,
    Texts,
)
from tests.unit.broker_rig import Rig

CALLS = [
    scripts.SubmitCall, scripts.RecallCall, scripts.ClaimCall, scripts.PublishCall, scripts.PushCall,
    scripts.RenewCall, scripts.TurnCall, scripts.WatchCall, scripts.WithdrawCall,
]  # fmt: skip
each_call = pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)


class Row(NamedTuple):
    first: str
    second: int


ECHO = """
-- A line of comment.
local found = { some_key, text, number + 1, flag and 'yes' or 'no' }
for _, lane in ipairs(lanes) do
  found[#found + 1] = lane .. ' ' .. queue_keys[lane] .. ' ' .. started_keys[lane] .. ' ' .. limits[lane]
end
for _, word in ipairs(words) do found[#found + 1] = word end
for at = FIRST_ROW, #ARGV, ROW_SIZE do found[#found + 1] = ARGV[at + SECOND] .. ' ' .. ARGV[at + FIRST] end
found[#found + 1] = JOB_PREFIX .. INBOX_TTL_SECONDS
return found
"""


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> type[Any]:
    """A script that returns all that it takes."""

    class Folder:
        def joinpath(self, name: str) -> "Folder":
            return self

        def read_text(self) -> str:
            return ECHO

    monkeypatch.setattr(script_call, "files", lambda _: Folder())

    @dataclass(kw_only=True)
    class EchoCall(ScriptCall, script="echo"):
        rows: Rows[Row]
        words: Texts
        limits: LaneNumbers
        lanes: Lanes
        flag: Flag
        number: Number
        text: Text
        started_keys: LaneKeys
        queue_keys: LaneKeys
        some_key: Key

    return EchoCall


async def test_by_name(rig: Rig, echo: type[Any]) -> None:
    """Each kind of field is a local of the same name in Lua, whatever the order of the fields."""
    call = echo(
        some_key="key", text="text", number=2, flag=True, lanes=("a", "b", "c"), queue_keys=("qa", "qb", "qc"),
        started_keys=("sa", "sb", "sc"), limits=[1, 2, 3], words=["x", "y"], rows=[Row("f1", 1), Row("f2", 2)],
    )  # fmt: skip
    assert await call.run(rig.connect({})) == [
        b"key", b"text", 3, b"yes", b"a qa sa 1", b"b qb sb 2", b"c qc sc 3", b"x", b"y", b"1 f1", b"2 f2",
        b"rq:job:60",
    ]  # fmt: skip


async def test_nothing_in_the_lists(rig: Rig, echo: type[Any]) -> None:
    """Lists and rows may be empty."""
    call = echo(
        some_key="key", text="", number=0, flag=False, lanes=("a",), queue_keys=("qa",), started_keys=("sa",),
        limits=[0], words=[], rows=[],
    )  # fmt: skip
    assert await call.run(rig.connect({})) == [b"key", b"", 1, b"no", b"a qa sa 0", b"rq:job:60"]


@pytest.mark.parametrize("value", ["plain", "it's", "a\\b", "two\nlines", "{tag}:", "ü"])
async def test_constants_are_written_as_lua_reads_them(rig: Rig, value: str) -> None:
    """A constant of the key table reaches Lua as it is, whatever characters the prefix has."""
    code = f"return {script_call._literal(value)}"
    assert rig.redis.eval(code.encode(), 0) == value.encode()


@each_call
def test_the_source_is_sent_only_where_order_needs_it(call: type[Any]) -> None:
    """A call names its script by the digest of the source."""
    assert re.fullmatch("[0-9a-f]{40}", call.digest)
    assert scripts.NAMES[call.digest] == call.name


@each_call
def test_every_field_is_used_and_explained(call: type[Any]) -> None:
    """Each key and argument of a script stands in its code, or in its parts, and in the contract at its head."""
    text = (files(script_call.__package__) / f"{call.name}.lua").read_text()
    head, _, code = text.partition("\n\n")
    code += "".join((files(script_call.__package__) / f"{part}.lua").read_text() for part in call.needs)
    for name, hint in get_type_hints(call, include_extras=True).items():
        if not hasattr(hint, "__metadata__"):
            continue
        if hint.__metadata__[0] is script_call._Kind.ROWS:
            (row_type,) = get_args(get_args(hint)[0])
            for field in row_type._fields:
                assert re.search(rf"\b{field.upper()}\b", code), f"{field} is not used"
                assert re.search(rf"\b{field}\b", head), f"{field} is not in the contract"
        else:
            # The tables by lane are made from `lanes` before the code begins.
            assert name == "lanes" or re.search(rf"\b{name}\b", code), f"{name} is not used"
            assert re.search(rf"\b{name}\b", head), f"{name} is not in the contract"


@each_call
def test_no_script_counts_positions(call: type[Any]) -> None:
    """No Lua file uses a position in KEYS or ARGV, or the name of a level."""
    _, _, code = (files(script_call.__package__) / f"{call.name}.lua").read_text().partition("\n\n")
    assert not re.search(r"(KEYS|ARGV)\[\d", code)
    assert not re.search(r"'(high|low)'", code)
