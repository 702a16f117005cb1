"""The states of a client's connection, and all transitions between them in one table.

Theory of operation
-------------------
A connection does two things at the same time: it reads requests, and it answers them, one after the other. `Reading` is
the state of the first. The state of the second is uvicorn's `RequestResponseCycle`, one for each request: the protocol
knows the cycle that is being answered, and those that wait for their turn.

    NEW -> HEAD -> BODY -> IDLE -> HEAD -> BODY -> IDLE ...

Every request passes through BODY, also one without a body: the parser reports its head and its end as two events. A
head with `Upgrade` and with a body is read a second time without that field (HEAD_AGAIN): the parser would take the
body for the other protocol. A pipelined request that is read while another one is answered waits; the bytes behind it
are held unread, in whatever state reading is.

Three states are left by no request. In REFUSED an error response, or a reset, ends the connection, and what the client
still sends is dropped. In TAKEN_OVER the bytes are no HTTP any more. In CLOSED there is no connection.

The client has to act within a timeout unless the gateway is answering. Which timeout that is follows from the state:
`head` in NEW, HEAD, HEAD_AGAIN and BODY, `idle` in IDLE.

`Lifetime` is how many requests the connection may still bring.
"""

from enum import Enum


class Reading(Enum):
    """What the bytes are that come next."""

    NEW = "nothing has come yet"
    IDLE = "between two requests"
    HEAD = "a head has begun"
    HEAD_AGAIN = "a head that the parser gets a second time, without its Upgrade"
    BODY = "after a head, before the end of its request"
    REFUSED = "nothing more is read, and the connection is about to be closed"
    TAKEN_OVER = "no HTTP any more"
    CLOSED = "the connection has ended"

    __hash__ = object.__hash__  # in C; that of Enum is slower than the rest of a transition


class Event(Enum):
    """What changes the state."""

    BYTES = "the first bytes"
    REQUEST = "the parser begins a request"
    HEAD_END = "a head is complete"
    HEAD_WITH_UPGRADE = "a head is complete that has Upgrade and a body"
    REQUEST_END = "a request is complete"
    DRAIN = "the server shuts down"
    REFUSAL = "an error ends the connection"
    TAKE_OVER = "a WebSocket takes the connection"
    CLOSE = "the connection ends"

    __hash__ = object.__hash__


class Lifetime(Enum):
    """How many requests a connection may still bring."""

    KEEP_ALIVE = "as many as the client sends"
    LAST_REQUEST = "one, since it is over the limit of connections"
    DRAINING = "one, since the server shuts down"


TRANSITIONS: dict[Event, dict[Reading, Reading]] = {
    Event.BYTES: {Reading.NEW: Reading.HEAD},
    Event.REQUEST: {
        Reading.HEAD: Reading.HEAD,
        Reading.HEAD_AGAIN: Reading.HEAD,
        Reading.IDLE: Reading.HEAD,
    },
    Event.HEAD_END: {Reading.HEAD: Reading.BODY},
    Event.HEAD_WITH_UPGRADE: {Reading.HEAD: Reading.HEAD_AGAIN},
    Event.REQUEST_END: {Reading.BODY: Reading.IDLE, Reading.HEAD_AGAIN: Reading.HEAD_AGAIN},
    Event.DRAIN: {**{each: each for each in Reading}, Reading.NEW: Reading.IDLE},
    Event.REFUSAL: dict.fromkeys(Reading, Reading.REFUSED),
    Event.TAKE_OVER: dict.fromkeys(Reading, Reading.TAKEN_OVER),
    Event.CLOSE: dict.fromkeys(Reading, Reading.CLOSED),
}
"""The state after each event, by the state before it. An event in another state is an error of this program."""

NEW, IDLE, HEAD, HEAD_AGAIN, BODY, REFUSED, TAKEN_OVER, CLOSED = Reading
"""The members by themselves: Python 3.11 looks them up slowly in their class."""

WAITS_FOR_HEAD = frozenset({NEW, HEAD, HEAD_AGAIN, BODY})
"""The states with the timeout `head`."""
