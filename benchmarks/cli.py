"""Measure this gateway: how fast it is, what it costs, and whether it keeps its promises.

Each benchmark starts every server that it needs, on loopback, and stops it again. What it compares, it measures in
the same run, in turn, and reports as ratios. Measure on a machine that does nothing else."""

import argparse
import importlib
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """A sub-command: the module and the function that run it, and one line about it."""

    module: str
    function: str
    summary: str


# By name, so that a process that a benchmark starts imports only its own module.
BENCHMARKS = {
    "performance": Command("performance", "performance", "everything in docs/evidence/performance.md; 45 minutes"),
    "measure": Command("performance", "measure", "some parts of docs/evidence/performance.md, such as `measure idle`"),
    "streaming": Command("streaming", "main", "bodies of any size, as in docs/evidence/streaming.md; 2 minutes"),
    "proof": Command("proof", "main", "the order and the waits of docs/evidence/proof.md; 5 to 25 minutes a part"),
    "check": Command("check", "main", "whether the queue has become much slower; 20 s, used in CI"),
}
PROCESSES = {
    "generator": Command("endpoints.generator", "main", "a light load generator; prints one line of JSON"),
    "traced-target": Command("endpoints.traced_target", "main", "a target that reports when it had each request"),
    "streaming-target": Command("endpoints.streaming_target", "main", "a target with bodies of any size"),
}
_EXAMPLES = """\
examples:
  python -m benchmarks check
  python -m benchmarks measure idle --quick
  python -m benchmarks performance --write docs

`performance` and `measure` need: apt install wrk haproxy nginx libnginx-mod-http-echo
`python -m benchmarks COMMAND --help` explains a command; benchmarks/README.md says what each one measures."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sub-command and return its exit status. Raises SystemExit for --help and for unknown commands."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        usage="%(prog)s [--help] COMMAND ...",
        description=__doc__,
        epilog="\n\n".join([
            _listed("benchmarks", BENCHMARKS),
            _listed("processes that benchmarks start; you can also run them yourself", PROCESSES),
            _EXAMPLES,
        ]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = {**BENCHMARKS, **PROCESSES}
    parser.add_argument("command", choices=commands, metavar="COMMAND", help="one of the commands below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    command = commands[options.command]
    run = getattr(importlib.import_module(f"benchmarks.{command.module}"), command.function)
    status: int = run(options.arguments)
    return status


def _listed(title: str, commands: dict[str, Command]) -> str:
    return "\n".join([f"{title}:", *(f"  {name:17} {command.summary}" for name, command in commands.items())])
