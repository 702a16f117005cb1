"""The rq queues in Redis, with everything that travels through them; the only package that speaks to Redis.

- `keys`: the key table. `scripts`: one Lua file for each atomic step. `jobs`: requests as rq jobs, and back.
- `submitting`, `inbox`, `withdrawing` and `streaming`: the gateway's side. `claiming` and `leasing`: the worker's side.
- `mailbox`: what each hears of the other. `observing` and `forecasting`: what health shows, and when to try again.
- `connecting`, `connection` and `discovering`: how Redis is reached. `round_trip` and `batching`: in few round trips.
- `submit_outbox` and `recall`: how a submit is written, and what became of one whose answer was lost.
- `frame_outbox`: what goes to workers. `heartbeat`: a gateway's sign of life.
- `redis_health`: what is known of the Redis that answers.
"""
