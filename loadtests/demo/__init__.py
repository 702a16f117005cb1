"""`fast-priority demo`: a load test with a picture, on one machine, with a verdict at the end.

- `traffic_plan`: how much is sent, and when (pure)
- `stack`: the processes, started and stopped
- `traffic`, `request_log`: the clients, and the records of their requests
- `monitor`: what is read from gateway and target meanwhile
- `verdict`: whether high came first (pure)
- `display`, `screen`, `write_summary`: what is shown
"""

from loadtests.demo.run import run_demo

__all__ = ["run_demo"]
