"""The text of `python -m mock_target --help`: every knob of the table, and commands to copy. Pure."""

from textwrap import fill

from mock_target.settings import FAULTS, KNOBS, Knob

_WIDTH = 79
_NAME_WIDTH = 16

_INTRODUCTION = """Run a mock REST API that echoes every request as JSON, with latency, limits and failures as set."""

_WAYS_TO_SET = """
How to set it, NAME being any name below:
  for all requests, at the start     --set NAME=VALUE, or --settings FILE.json
  for all requests, while it runs    PATCH /__admin/settings {"NAME": VALUE}
  for some paths                     a route: {"path": "/api", "match": "prefix",
                                     "method": "GET", "NAME": VALUE} in "routes"
  for one request                    ?mock_NAME=VALUE or X-Mock-Name: VALUE
"""

_LATENCIES = """
Latencies, in seconds:
  0.05                  always 0.05 (also fixed:0.05)
  uniform:0.01,0.2      from 0.01 to 0.2, all equally likely
  jitter:0.2,0.05       0.2, plus or minus up to 0.05
  lognormal:0.05,0.5    median 0.05, sigma 0.5: some take much longer
  exponential:0.05      mean 0.05, as in queueing theory
"""

_PAGES = """
Pages:
  /                       in a browser: settings to change, arrivals to watch
  /health                 200 when it runs
  /mock/sse               server-sent events: ?events=5&interval=0.1
  /mock/websocket         echoes: ?close_after=3&close_code=4001
  /mock/redirect, /mock/cookies, /mock/gzip, /mock/binary, /mock/hop-by-hop
  /v1/chat/completions, /v1/embeddings (POST), /v1/models     as OpenAI's API
  /api/chat, /api/generate (POST), /api/tags                  as Ollama
  /__admin/settings       GET, PATCH, PUT, DELETE
  /__admin/arrivals       GET (?last=10), DELETE
  /__admin/arrivals.ndjson   ?since=SEQUENCE, ?follow=true
  /__admin/knobs, /__admin/latency, /__admin/reset (POST), /docs
"""

_EXAMPLES = """
Examples:
  python -m mock_target
  python -m mock_target --port 9001 --latency exponential:0.2 --limit 4 --seed 1
  python -m mock_target --set error_rate=0.05 --set fault=reset --set fault_rate=0.01
  curl http://127.0.0.1:9000/any/path
  curl "http://127.0.0.1:9000/any/path?mock_latency=1.5&mock_status=503"
  curl -H "X-Mock-Size: 1000000" -H "X-Mock-Bandwidth: 200000" -o large.bin http://127.0.0.1:9000/
  curl "http://127.0.0.1:9000/?mock_fault=truncate"
  curl -N "http://127.0.0.1:9000/mock/sse?events=5&interval=0.5"
  curl -N "http://127.0.0.1:9000/v1/chat/completions?mock_token_rate=5" --json \\
       '{"model": "mock-small", "messages": [], "stream": true}'
  curl http://127.0.0.1:9000/__admin/arrivals
  curl -N "http://127.0.0.1:9000/__admin/arrivals.ndjson?follow=true"
  curl -X PATCH http://127.0.0.1:9000/__admin/settings --json '{"limit": 4, "max_queued": 100}'
  curl -X PATCH http://127.0.0.1:9000/__admin/settings --json \\
       '{"routes": [{"path": "/orders", "match": "prefix", "error_rate": 0.1}]}'
  curl -X POST http://127.0.0.1:9000/__admin/reset
"""


def write_help() -> str:
    """Return the help, in blocks that click must not wrap."""
    groups = dict.fromkeys(knob.group for knob in KNOBS)
    blocks = [_WAYS_TO_SET, *(_write_group(group) for group in groups), _write_faults(), _LATENCIES, _PAGES, _EXAMPLES]
    return "\n\n".join([_INTRODUCTION, *(f"\b\n{block.strip()}" for block in blocks)])


def _write_group(group: str) -> str:
    knobs = [knob for knob in KNOBS if knob.group == group]
    scope = "" if all(knob.per_request for knob in knobs) else " (for the whole mock only)"
    return "\n".join([f"{group}{scope}:", *(_write_item(knob.name, _describe(knob)) for knob in knobs)])


def _describe(knob: Knob) -> str:
    default = "" if knob.default is None else f" Default: {knob.default}."
    return f"{knob.meaning}{default} Example: {knob.example}"


def _write_faults() -> str:
    return "\n".join(["Faults:", *(_write_item(fault.value, meaning) for fault, meaning in FAULTS.items())])


def _write_item(name: str, text: str) -> str:
    hanging = " " * (_NAME_WIDTH + 2)
    return fill(text, _WIDTH, initial_indent=f"  {name:<{_NAME_WIDTH}}", subsequent_indent=hanging)
