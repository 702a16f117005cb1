"""Programs of this package as processes on this machine: a Redis, gateways and workers, started and stopped together.

- `child_processes`: starts a process, waits until it is ready, and stops it.
- `redis_server`: a Redis that only this user can reach.
- `standalone`: gateways, workers and Redis in one command; `shape`: which of them, with how many slots.
- `interruption`: Ctrl-C and SIGTERM while processes are started.
- `command_line`: what all commands have in common; `policy_commands`, `explanation`: those about rules and keys.
- `free_ports`: ports for servers on this machine.
"""

__all__ = [
    "child_processes",
    "command_line",
    "explanation",
    "free_ports",
    "interruption",
    "policy_commands",
    "redis_server",
    "shape",
    "standalone",
]
