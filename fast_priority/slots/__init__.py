"""What a worker's slots do: claim requests, forward them, publish the responses, renew the leases.

`worker` is the side of rq: it starts the loop here. `job` is for stock rq workers: it uses `forward` and
`gateway_channel`, without the loop.

- `loop`: the worker loop: one round trip publishes and claims.
- `work_wait`: a claim that blocks in Redis while there is nothing to do.
- `draining`: what stop signals do.
- `part_outbox`: the parts that wait to be published.
- `dispatcher`: chooses the way of each claimed request.
- `in_flight`: the requests in flight, and the state of each.
- `fast_path`: the way without a task.
- `forward`: the way with a task; a stock rq worker's job uses it, too.
- `gateway_channel`: a request's channel to its gateway.
- `lease_renewer`: keeps what is in flight from other workers.
- `worker_warnings`: what a worker warns of, in its log and in its record.

A room above imports the module that it needs: a stock worker's job must not load the loop.
"""

__all__ = ["forward", "gateway_channel", "loop"]
