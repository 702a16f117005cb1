"""The atomic steps: one Lua file for each, whose head is its contract, and one class that names what it takes.

- `calls`: one class for each script, with the keys and arguments of the script by name.
- `script_call`: the base of those classes; how a call travels, alone or with others in one round trip.
- `refusals`: why Redis refused a step.
- `this_server.lua`, `gateways.lua`, `lanes.lua`, `queueing.lua`, `claiming.lua`: parts of several scripts.
"""

from fast_priority.broker.scripts.calls import (
    NAMES,
    ClaimCall,
    LevelsCall,
    LookCall,
    PublishCall,
    PublishedPart,
    PushCall,
    RecallCall,
    RenewCall,
    RenewedLease,
    SubmitCall,
    SubmittedRequest,
    TurnCall,
    WatchCall,
    WithdrawCall,
    WithdrawnRequest,
)
from fast_priority.broker.scripts.refusals import is_out_of_memory, is_refusal, is_wrong_type
from fast_priority.broker.scripts.script_call import ScriptCall, run_together

__all__ = [
    "NAMES",
    "ClaimCall",
    "LevelsCall",
    "LookCall",
    "PublishCall",
    "PublishedPart",
    "PushCall",
    "RecallCall",
    "RenewCall",
    "RenewedLease",
    "ScriptCall",
    "SubmitCall",
    "SubmittedRequest",
    "TurnCall",
    "WatchCall",
    "WithdrawCall",
    "WithdrawnRequest",
    "is_out_of_memory",
    "is_refusal",
    "is_wrong_type",
    "run_together",
]
