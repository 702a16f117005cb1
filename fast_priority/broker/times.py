"""How long leases, signs of life, frames and other things last in Redis, and the most of some of them.

The scripts use these constants by name, as they use those of `keys`.
"""

from fast_priority.scheduling import priority

LEASE_SECONDS = 3.5
"""How long a started request belongs to its worker without a renewal. Workers renew every second."""
LEASE_MILLISECONDS = int(LEASE_SECONDS * 1000)
CANCELLED_TTL_SECONDS = 60
"""How long Redis remembers that a gateway has cancelled a request."""
GATEWAY_TTL_SECONDS = 3.5
"""How long a sign of life of a gateway lasts. Each gateway renews it every 0.5 s, and with each submit.

Workers look at it with each claim, and every second for their calls in flight. So with a killed gateway, the last
request starts 3.5 s after its death, and the last call ends after 4.5 s: within the 5 s that are promised. A gateway
that stands still for up to 3 s stays alive.
"""
GATEWAY_TTL_MILLISECONDS = int(GATEWAY_TTL_SECONDS * 1000)
GATEWAYS_ARE_BACK_SECONDS = 4.0
"""How long Redis must have run before a missing sign of life proves anything.

A gateway that lives shows its next sign earlier: it waits up to 0.5 s, notices a dead connection within 2 s, and
connects within 1 s.
"""
GATEWAYS_ARE_BACK_MILLISECONDS = int(GATEWAYS_ARE_BACK_SECONDS * 1000)
REDIS_GAP_MILLISECONDS = 2000
"""How far two notes that Redis runs may be apart. Workers write one every second.

Redis, or its clock, may have lost less than this unnoticed: signs of life outlast it.
"""
REDIS_RUN_TTL_SECONDS = 60
"""How long the note is kept after the last worker has gone."""
DEPLOYMENT_TTL_SECONDS = 60
"""How long the identity of the deployment outlives its last gateway. Each gateway renews it every 0.5 s."""
MOST_BYTES_WITHOUT_MEMORY = 64 * 1024
"""The most bytes that are pushed on a mailbox while Redis is out of memory."""
INBOX_TTL_SECONDS = 60
"""How long frames are kept for a process that has stopped reading."""
WAKE_UP_TTL_SECONDS = 60
"""How long a wake-up token lives. Idle workers look at the queues every 2 s without one."""
STOP_SIGNAL_TTL_SECONDS = 5
"""How long a stop signal lives. A worker waits for work, and so for the signal, for at most 2 s."""
MOST_WAKE_UPS = 64
"""The most wake-up tokens, and so the most idle workers that wake at once. Each wakes the next while work remains."""
MOST_PASSED_OVER = 64
"""The most waiting requests that a claim passes over in each queue: of a newer wire version, or of a gateway of which
it is not known whether it lives."""
WORKER_TTL_SECONDS = 15
"""How long a PriorityWorker counts as alive after its last sign of life. It renews that every second."""
FAILED_TTL_SECONDS = 86_400
"""How long a refused job stays in rq's failed registry, with the reason."""
TOMBSTONE_TTL_SECONDS = 10
"""How long a tombstone prevents a late submit from queuing its job: longer than its bytes can be on the way."""
QUEUE_GRACE_SECONDS = 60
"""How much longer a queue lives than the last job that was put on it."""
MOST_IDS_SEARCHED = 10_000
"""How many ids from each end of a queue a withdrawal looks at, so that it does not hold Redis up however many wait."""
MOST_IDS_DROPPED = 1000
"""How many ids without a job a submit removes from the head of a queue that is full."""
MOST_LEVELS = priority.MOST_LEVELS
"""The most levels that are in force."""
LEVELS_TTL_SECONDS = 15
"""How long the levels in force outlast the last gateway that has them. Each renews them every 0.5 s."""
LEVELS_TTL_MILLISECONDS = LEVELS_TTL_SECONDS * 1000
MOST_LANES = 16
"""The most levels that are served: those in force, and removed ones until they are empty."""
