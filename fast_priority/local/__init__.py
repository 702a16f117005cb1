"""Programs of this package as processes on this machine: a Redis, workers and a gateway, started and stopped together.

- `child_processes`: starts a process, waits until it is ready, and stops it.
- `redis_server`: a Redis that only this user can reach.
- `standalone`: gateway, workers and Redis in one command.
- `interruption`: Ctrl-C and SIGTERM while processes are started.
- `free_ports`: ports for servers on this machine.
"""

__all__ = ["child_processes", "free_ports", "interruption", "redis_server", "standalone"]
