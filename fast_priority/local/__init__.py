"""Programs of this package as processes on this machine: a Redis, gateways and workers, started and stopped together.

- `child_processes`: starts a process, waits until it is ready, and stops it.
- `redis_server`: a Redis that only this user can reach.
- `standalone`: gateways, workers and Redis in one command; `shape`: which of them, with how many slots.
- `interruption`: Ctrl-C and SIGTERM while processes are started.
- `free_ports`: ports for servers on this machine.
"""

__all__ = ["child_processes", "free_ports", "interruption", "redis_server", "shape", "standalone"]
