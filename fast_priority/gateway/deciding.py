"""Decides about a request by rules and keys: at once by its head, or, where a rule asks for it, by its body as well."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from fast_priority.errors import GatewayError, KeyRequired, RefusedByRule
from fast_priority.gateway.held_bodies import HeldBodies
from fast_priority.gateway.request_body import RequestBody
from fast_priority.gateway.response import ClientResponse
from fast_priority.http.forwarding import Hop
from fast_priority.http.message import Fields
from fast_priority.http.rule_facts import facts_of
from fast_priority.http.trusted_proxies import TrustedProxies
from fast_priority.scheduling.policy import Body, BodyState, Decision, Policy, RuleFacts, read_body
from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import RequestFacts

_MOST_PARSED_ON_THE_LOOP_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Undecided:
    """A request whose body decides. It keeps the policy that it came under."""

    policy: Policy
    facts: RuleFacts


class PolicySource(Protocol):
    """Has the policy in force; `PolicyInForce` is one."""

    @property
    def current(self) -> Policy:
        """The policy for requests that come now."""
        ...


class Decider:
    """Asks the policy in force about requests. The address of the client is what the `trusted` proxies say."""

    def __init__(self, source: PolicySource, trusted: TrustedProxies) -> None:
        self._source = source
        self._trusted = trusted
        self._held = HeldBodies()
        self._parsing = asyncio.Lock()  # one large body at a time: as objects of Python it takes many times its size

    def decide(
        self,
        request: RequestFacts,
        fields: Fields,
        query: bytes,
        declared_bytes: int | None,
        hop: Hop,
        response: ClientResponse,
    ) -> Priority | Undecided | None:
        """Return the level; None if the request skips the queue. Errors in `response` get the form that the rule says.

        Its record gets the names of the rule and of the key.

        Raises RefusedByRule and KeyRequired.
        """
        policy = self._source.current
        facts = facts_of(request, fields, query, declared_bytes, hop.address, self._trusted, policy)
        decision = policy.decide(facts)
        return Undecided(policy, facts) if decision is None else _level_of(decision, response)

    async def decide_by_body(
        self, undecided: Undecided, body: RequestBody, response: ClientResponse
    ) -> Priority | None:
        """Read the body, and return as `decide` does. The body can still be sent from its beginning.

        Raises also what reading the body raises. A body for which there is no room is not looked at.
        """
        data = await body.read_and_hold(self._held)
        found: Body
        if data is None:
            found = BodyState.UNREADABLE
        elif len(data) > _MOST_PARSED_ON_THE_LOOP_BYTES:
            async with self._parsing:
                found = await asyncio.to_thread(read_body, data)
        else:
            found = read_body(data)
        decision = undecided.policy.decide(undecided.facts.with_body(found))
        if decision is None:
            raise RuntimeError("a body that was read decides")
        return _level_of(decision, response)

    def onward(self, fields: Fields, received: Fields) -> Fields:
        """Return the fields for the target: without that of the key, if the key of these received fields says so.

        To be called in the same step of the event loop as `decide`: after it, another policy may be in force.
        """
        ring = self._source.current.ring
        if ring is None:
            return fields
        key = ring.match(received).key
        return fields if key is None or key.forward else [field for field in fields if field[0].lower() != ring.field]


def _level_of(decision: Decision, response: ClientResponse) -> Priority | None:
    response.error_form = decision.errors
    response.record.rule, response.record.key = decision.rule, decision.key
    if decision.refuse is not None:
        raise _refusal(decision)
    return None if decision.level is None else Priority(decision.level)


def _refusal(decision: Decision) -> GatewayError:
    if decision.challenge is not None:
        required = KeyRequired("send a key that this gateway knows; Authorization: Bearer, or the field that it names")
        required.challenge = decision.challenge
        return required
    refused = RefusedByRule(f"{decision.by} refuses it")
    refused.status = decision.refuse or refused.status
    return refused
