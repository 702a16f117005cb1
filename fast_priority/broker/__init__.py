"""The rq queues in Redis, with everything that travels through them; the only package that speaks to Redis.

- `keys`: the key table. `scripts`: one Lua file for each atomic step. `jobs`: requests as rq jobs, and back.
- `submitting` and `inbox`: the gateway's side. `claiming`: the worker's side. `observing`: what health shows.
"""
