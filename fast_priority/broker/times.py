"""How long leases, signs of life, frames and other things last in Redis, and the most of some of them.

The scripts use these constants by name, as they use those of `keys`.
"""

LEASE_SECONDS = 3.5
"""How long a started request belongs to its worker without a renewal. Workers renew every second."""
LEASE_MILLISECONDS = int(LEASE_SECONDS * 1000)
CANCELLED_TTL_SECONDS = 60
"""How long Redis remembers that a gateway has cancelled a request."""
GATEWAY_TTL_SECONDS = 15
"""How long a gateway counts as alive after its last sign of life. It renews that every 3 s and with each submit."""
DEPLOYMENT_TTL_SECONDS = 60
"""How long the identity of the deployment outlives its last gateway. Each gateway renews it every 3 s."""
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
MOST_NEWER_PASSED = 64
"""The most waiting requests of a newer wire version that a claim passes over in each queue."""
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
