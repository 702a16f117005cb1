"""Rules and keys: which level a request gets, as the policy file and the keys file say. Pure.

- `files`: from the texts of the two files to a Policy; every problem is a line.
- `rule_file`: the models of the policy file. `tables`: what both files have in common.
- `decision`: Policy, which decides about one request.
- `conditions`: what rules ask; `path_names`, `patterns`, `urgency`: of paths, texts and the field Priority.
- `truth`: true, false and unknown.
- `facts`: what rules look at. `json_body`: the body of a request.
- `key_ring`: keys of clients.

Import it only where it is needed: its models take long to build, and a stock rq worker imports for every job.
"""

from fast_priority.scheduling.policy.decision import Decision, Policy
from fast_priority.scheduling.policy.facts import RuleFacts
from fast_priority.scheduling.policy.files import KeysFile, levels_of, policy_of
from fast_priority.scheduling.policy.json_body import Body, BodyState, read_body
from fast_priority.scheduling.policy.key_ring import NO_KEYS, KeyMatch, KeyRing, KeyState
from fast_priority.scheduling.policy.path_names import PathStyle
from fast_priority.scheduling.policy.rule_file import PolicyFile

__all__ = [
    "NO_KEYS",
    "Body",
    "BodyState",
    "Decision",
    "KeyMatch",
    "KeyRing",
    "KeyState",
    "KeysFile",
    "PathStyle",
    "Policy",
    "PolicyFile",
    "RuleFacts",
    "levels_of",
    "policy_of",
    "read_body",
]
