"""Benchmarks of the gateway; `python -m benchmarks --help` explains them.

- `performance`, `streaming`, `proof`, `check`: the benchmarks, each with a command of its own
- `systems`: the servers that are measured, and their targets, each started for a block
- `load`, `observation`: load on a server, and what processes, Redis and the target did meanwhile
- `endpoints`: light clients and targets of our own, the ends of a measured connection
- `results`, `support`: statistics and tables; programs, exit statuses and the machine
"""
