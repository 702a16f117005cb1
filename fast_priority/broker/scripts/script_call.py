"""Lua scripts with named keys and arguments.

A script is one Lua file and one dataclass (in `calls`), whose fields are the keys and arguments of the script. An
instance is one call. For each field, `ScriptCall` writes a `local` of the same name in front of the Lua source, so
neither side counts positions:

    field                      in Lua
    wake_up_key: Key           local wake_up_key = KEYS[1]
    worker_name: Text          local worker_name = ARGV[1]
    free_slots: Number         local free_slots = tonumber(ARGV[2])
    is_retry: Flag             local is_retry = ARGV[3] == '1'
    lanes: Lanes               local lanes = { 'high', 'low' }
    queue_keys: LaneKeys       local queue_keys = { high = KEYS[2], low = KEYS[3] }
    limits: LaneNumbers        local limits = { high = 100, low = 1000 }
    frames: Texts              local frames = { ... }
    requests: Rows[Request]    for at = FIRST_ROW, #ARGV, ROW_SIZE do local id = ARGV[at + ID] ... end

`Request` is a NamedTuple; `ID` is the offset of its field `id`. A script has at most one field of rows. The lanes are
the levels in order of precedence; LaneKeys and LaneNumbers have one value for each level, in the same order. LaneKeys
have the key of every other lane as well: a script may find in Redis that there are more (`lanes.lua`).

A constant that stands in a Lua file, such as JOB_PREFIX of the key table, becomes a `local` with its value. What
several scripts have in common is a Lua file of its own, which a script `needs`; it may use the script's fields.

On the wire, KEYS are the single keys and then the keys of the lanes. ARGV is the single arguments, then the names and
the numbers of the lanes, then each list of texts behind its length, then the rows.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from hashlib import sha1
from importlib.resources import files
from operator import attrgetter
from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_type_hints

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, ResponseError

from fast_priority.broker import keys, times
from fast_priority.broker.connection import Argument, Command, send_together
from fast_priority.broker.keys import LANE_KEY_PREFIXES
from fast_priority.broker.scripts.refusals import is_out_of_memory, is_wrong_type
from fast_priority.protocol import wire_version


class _Kind(Enum):
    """How a field is sent to Redis, and what it becomes in Lua."""

    KEY = auto()
    LANE_KEYS = auto()
    TEXT = auto()
    NUMBER = auto()
    FLAG = auto()
    LANES = auto()
    LANE_NUMBERS = auto()
    TEXTS = auto()
    ROWS = auto()


Row = TypeVar("Row", bound=tuple[Argument, ...])

Key = Annotated[str, _Kind.KEY]
LaneKeys = Annotated[tuple[str, ...], _Kind.LANE_KEYS]
Text = Annotated[str | bytes, _Kind.TEXT]
Number = Annotated[int | float, _Kind.NUMBER]
Flag = Annotated[bool, _Kind.FLAG]
Lanes = Annotated[tuple[str, ...], _Kind.LANES]
LaneNumbers = Annotated[Sequence[int], _Kind.LANE_NUMBERS]
Texts = Annotated[Sequence[Argument], _Kind.TEXTS]
Rows = Annotated[Sequence[Row], _Kind.ROWS]

_SINGLE = {
    _Kind.TEXT: "local {name} = ARGV[{index}]",
    _Kind.NUMBER: "local {name} = tonumber(ARGV[{index}])",
    _Kind.FLAG: "local {name} = ARGV[{index}] == '1'",
}
_LIST = """\
local {name} = {{}}
for i = 1, tonumber(ARGV[at]) do {name}[i] = ARGV[at + i] end
at = at + 1 + #{name}"""
_Getter = Callable[[Any], tuple[Any, ...]]


class ScriptCall:
    """One call of a script: the script's keys and arguments, by name.

    Redis runs a script by its digest. The source is sent only to a Redis that does not know it, or if `in_order`.
    """

    name: ClassVar[str]
    """The name of the Lua file."""
    needs: ClassVar[Sequence[str]]
    """The names of the Lua files with what it has in common with other scripts."""
    source: ClassVar[str]
    digest: ClassVar[str]
    in_order = False
    """Whether later commands of the same round trip must not overtake the call. Then the source is sent each time."""
    # Each returns the values of the fields of some kinds.
    _keys: ClassVar[_Getter]
    _lane_keys: ClassVar[_Getter]
    _texts_and_numbers: ClassVar[_Getter]
    _flags: ClassVar[_Getter]
    _lanes_and_numbers: ClassVar[_Getter]
    _lists: ClassVar[_Getter]
    _rows: ClassVar[_Getter]

    def __init_subclass__(cls, *, script: str, needs: Sequence[str] = ()) -> None:
        hints = get_type_hints(cls, include_extras=True)
        kinds = {name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")}
        named = {kind: [name for name, found in kinds.items() if found is kind] for kind in _Kind}
        cls._keys, cls._lane_keys = _getter(named[_Kind.KEY]), _getter(named[_Kind.LANE_KEYS])
        cls._texts_and_numbers = _getter(named[_Kind.TEXT] + named[_Kind.NUMBER])
        cls._flags = _getter(named[_Kind.FLAG])
        cls._lanes_and_numbers = _getter(named[_Kind.LANES] + named[_Kind.LANE_NUMBERS])
        cls._lists, cls._rows = _getter(named[_Kind.TEXTS]), _getter(named[_Kind.ROWS])
        row_types = [get_args(get_args(hints[name])[0])[0] for name in named[_Kind.ROWS]]
        preamble = _preamble(named, [name for row_type in row_types for name in row_type._fields])
        code = "\n".join([*preamble, *map(_lua_file, needs), _lua_file(script)])
        cls.name, cls.needs, cls.source = script, needs, "\n".join([*_constants_in(code), code])
        cls.digest = sha1(cls.source.encode(), usedforsecurity=False).hexdigest()

    @property
    def command(self) -> Command:
        """The call as a command of Redis."""
        kind = type(self)
        keys = kind._keys(self)
        for lane_keys in kind._lane_keys(self):
            keys += lane_keys
        arguments = [*kind._texts_and_numbers(self), *map(int, kind._flags(self))]
        for of_each_lane in kind._lanes_and_numbers(self):
            arguments += of_each_lane
        for texts in kind._lists(self):
            arguments.append(len(texts))
            arguments += texts
        for rows in kind._rows(self):
            for row in rows:
                arguments += row
        run, script = ("EVAL", self.source) if self.in_order else ("EVALSHA", self.digest)
        return (run, script, len(keys), *keys, *arguments)

    async def run(self, redis: Redis, within_seconds: float | None = None) -> Any:
        """Run the script and return its result. Raises what Redis refuses, and what `send_together` raises."""
        command = self.command
        (answer,) = await send_together(redis, [command], within_seconds)
        if isinstance(answer, NoScriptError):
            (answer,) = await send_together(redis, [("EVAL", self.source, *command[2:])], within_seconds)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def run_together(redis: Redis, calls: Sequence[ScriptCall | Command]) -> list[Any]:
    """Run scripts and commands one after the other in one round trip, and return their results.

    Each script is atomic, their sequence is not. A script that Redis does not know is run again after the others,
    unless it is `in_order`. A step that finds a key of the wrong type, or a Redis without memory, has that error as its
    result, because the other steps were carried out. Raises the first other error that Redis returns.
    """
    commands = [call.command if isinstance(call, ScriptCall) else call for call in calls]
    results = await send_together(redis, commands)
    for index, (call, result) in enumerate(zip(calls, results, strict=True)):
        if isinstance(result, NoScriptError) and isinstance(call, ScriptCall):
            results[index] = await _run_alone(call, redis)
        elif isinstance(result, Exception) and not _concerns_one_step(result):
            raise result
    return results


async def _run_alone(call: ScriptCall, redis: Redis) -> Any:
    try:
        return await call.run(redis)
    except ResponseError as error:
        if not _concerns_one_step(error):
            raise
        return error


def _concerns_one_step(error: Exception) -> bool:
    return is_wrong_type(error) or is_out_of_memory(error)


def _getter(names: Sequence[str]) -> _Getter:
    """Return a function that returns the attributes with these names."""
    match names:
        case []:
            return lambda _: ()
        case [name]:
            return lambda call: (getattr(call, name),)
        case _:
            return attrgetter(*names)


def _lua_file(name: str) -> str:
    """Return the code of a Lua file without the lines of comment, which would travel with it."""
    lines = files(__package__).joinpath(f"{name}.lua").read_text().splitlines()
    return "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith("--"))


def _constants_in(code: str) -> list[str]:
    """Return a `local` for each constant of `keys`, `times` and `wire_version` that stands in the code."""
    names = dict.fromkeys(re.findall(r"\b[A-Z]+_[A-Z_]+\b", code))
    constants = {**vars(times), **vars(keys), **vars(wire_version)}
    return [f"local {name} = {_literal(constants[name])}" for name in names if name in constants]


def _literal(value: str | int) -> str:
    """Return a value as Lua writes it."""
    if isinstance(value, int):
        return str(value)
    plain = re.compile(r"[\w:{}.-]", re.ASCII)
    return "'" + "".join(c if plain.match(c := chr(byte)) else f"\\{byte:03}" for byte in value.encode()) + "'"


def _preamble(named: Mapping[_Kind, Sequence[str]], row_fields: Sequence[str]) -> list[str]:
    """Return the lines of Lua that make a local of each field."""
    lines = ["local KEYS, ARGV = KEYS, ARGV"]
    lines += [f"local {name} = KEYS[{index}]" for index, name in enumerate(named[_Kind.KEY], 1)]
    singles = [(name, kind) for kind in _SINGLE for name in named[kind]]
    lines += [_SINGLE[kind].format(name=name, index=index) for index, (name, kind) in enumerate(singles, 1)]
    lines.append(f"local at = {len(singles) + 1}")
    if named[_Kind.LANES]:
        lines += _lanes_preamble(len(named[_Kind.KEY]), named[_Kind.LANE_KEYS], named[_Kind.LANE_NUMBERS])
    lines += [_LIST.format(name=name) for name in named[_Kind.TEXTS]]
    if row_fields:
        lines.append(f"local FIRST_ROW, ROW_SIZE = at, {len(row_fields)}")
        lines += [f"local {name.upper()} = {offset}" for offset, name in enumerate(row_fields)]
    return lines


def _lanes_preamble(single_keys: int, lane_keys: Sequence[str], lane_numbers: Sequence[str]) -> list[str]:
    keys = [f"  {name}[lane] = KEYS[{single_keys} + {index} * count + i]" for index, name in enumerate(lane_keys)]
    numbers = [
        f"  {name}[lane] = tonumber(ARGV[at + {index} * count + i - 1])" for index, name in enumerate(lane_numbers, 1)
    ]
    tables = ["lanes", *lane_keys, *lane_numbers]
    begins = {name: _literal(LANE_KEY_PREFIXES[name]) for name in lane_keys}
    others = [
        f"setmetatable({name}, {{ __index = function(_, lane) return {begins[name]} .. lane end }})"
        for name in lane_keys
    ]
    return [
        f"local {', '.join(tables)} = {', '.join('{}' for _ in tables)}",
        f"local count = (#KEYS - {single_keys}) / {len(lane_keys)}",
        "for i = 1, count do",
        "  local lane = ARGV[at + i - 1]",
        "  lanes[i] = lane",
        *keys,
        *numbers,
        "end",
        *others,
        f"at = at + {1 + len(lane_numbers)} * count",
    ]
