"""Tools that know neither HTTP nor queues.

- `background`: tasks that are started, repeated and ended in order
- `byte_stream`: a connection as two streams of bytes
- `close_watcher`: notices that a peer closes a connection that is not read
- `elapsed`: how much time has passed at least
- `file_limit`: how many files this process may open
- `gc_tuning`: the collector of cyclic garbage, and the rule against reference cycles
- `install_command`: the command that installs what is missing
- `installed_versions`: refuses dependencies outside of the declared bounds
- `loop_lag`: how late an event loop is.
- `notices`: what is wrong and stops nothing, logged once
- `outage_log`: many equal failures in a few log lines
- `parent_death`: processes that end with the one that started them
- `rate_timeout`: a timeout that ends a peer below a least rate of bytes
- `signals`: SIGTERM and SIGINT wait
- `slow_readers`: peers that do not read what they are sent
- `socket_look`: what has arrived at a socket
- `stalls`: timers and timeouts that let a loop read first
- `timeout_queue`: timeouts of equal length for many keys
"""

__all__ = [
    "background",
    "byte_stream",
    "close_watcher",
    "elapsed",
    "file_limit",
    "gc_tuning",
    "install_command",
    "installed_versions",
    "notices",
    "outage_log",
    "parent_death",
    "rate_timeout",
    "signals",
    "slow_readers",
    "socket_look",
    "stalls",
    "timeout_queue",
]
