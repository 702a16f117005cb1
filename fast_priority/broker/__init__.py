"""The rq queues in Redis, and everything that is sent through them. Only this package uses Redis for requests.

- `producer`: the gateway's side: submit requests, receive responses, take requests back.
- `consumer`: the worker's side: claim requests, publish responses, renew leases.
- `monitor`: the state of the queues, for health and Retry-After.
- `leases`: the leases of one process, and its record as an rq worker.
- `mailbox`: the frames for one process.
- `refused_jobs`: jobs that are not ours.
- `scripts`: the atomic steps, one Lua file each.
- `jobs`: requests as rq jobs, and rq jobs as requests.
- `keys`: every key in Redis, and the lanes: the levels with the keys of each.
- `job_ages`: how long jobs have waited.
- `known_lanes`: the lanes that one process knows. `levels_in_force`: which levels a gateway finds in force.
- `other_versions`: jobs and workers of other versions and programs, and what workers warn of.
- `times`: how long leases, records and frames last in Redis.
- `connection`: clients, round trips, and the state of the server.
"""

__all__ = ["connection", "consumer", "jobs", "keys", "mailbox", "monitor", "producer"]
