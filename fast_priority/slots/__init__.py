"""What a worker's slots do: claim requests, forward them, publish what comes back, renew their leases.

A stock rq worker's job uses `forward` alone.
"""
