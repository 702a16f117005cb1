"""The commands `performance` and `measure`: all parts of docs/evidence/performance.md, or some of them."""

import argparse
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.performance.document import write_documents
from benchmarks.performance.parts import PARTS
from benchmarks.performance.report import Report
from benchmarks.performance.run_size import FULL, QUICK, RunSize
from benchmarks.results import findings_table
from benchmarks.support import (
    exit_status,
    has_haproxy,
    log_progress,
    machine_line,
    positive_int,
    prepare_process,
    programs_line,
    require_programs,
)
from fast_priority.errors import ConfigurationError

_OUTPUT = """
Tables in Markdown are printed on stdout, progress on stderr. --write docs puts tables, pictures and all figures into
the documentation. Exit status: 0; 1 if a bound does not hold or a figure does not count; 2 if something is missing."""
_PARTS_HELP = "parts:\n" + "\n".join(f"  {name:11} {part.summary}" for name, part in PARTS.items())


def performance(arguments: Sequence[str] | None = None) -> int:
    """Measure all parts, or those of --only, and return the exit status."""
    parser = _parser(
        "performance",
        "Measure everything in docs/evidence/performance.md: our gateway beside other servers and beside its bounds.\n"
        "It takes about 45 minutes. --quick takes 8 minutes, to see that everything works.",
    )
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part; can be repeated [all parts]")
    options = parser.parse_args(arguments)
    return exit_status(lambda: _run(options.only or PARTS, options))


def measure(arguments: Sequence[str] | None = None) -> int:
    """Measure the named parts, and return the exit status."""
    parser = _parser("measure", "Measure some parts of docs/evidence/performance.md, each on its own.")
    parser.add_argument("parts", nargs="+", choices=PARTS, metavar="PART", help="part to measure, see below")
    options = parser.parse_args(arguments)
    return exit_status(lambda: _run(options.parts, options))


def _parser(command: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks {command}",
        description=f"{description}\n{_OUTPUT}",
        epilog=_PARTS_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="short and with little load: the figures mean little")
    parser.add_argument("--rounds", type=positive_int, metavar="N", help="how often each figure is measured")
    parser.add_argument(
        "--original", metavar="PYTHON", default="", help="Python with the original fast-priority 1.x, a peer"
    )
    parser.add_argument("--litellm", metavar="PYTHON", default="", help="Python with litellm[proxy], a peer")
    parser.add_argument("--write", metavar="FOLDER", help="write the results into the documentation in this folder")
    return parser


def _run(chosen: Collection[str], options: argparse.Namespace) -> int:
    prepare_process()
    require_programs()
    machine = f"{machine_line()} {programs_line()}"
    if not has_haproxy():
        log_progress("HAProxy is not installed, so nothing is compared with it: apt install haproxy")
    size = _size(options)
    reports = [_measure(part, size) for part in PARTS if part in chosen]
    _print(reports, machine)
    if options.write:
        write_documents(Path(options.write), reports, machine)
    fails = any(finding.holds is False for report in reports for finding in report.findings)
    return 1 if fails or any(report.errors for report in reports) else 0


def _measure(part: str, size: RunSize) -> Report:
    """Measure one part; if it fails, the results of the others are kept."""
    log_progress(f"== {part}")
    try:
        return PARTS[part].measure(size)
    except (ConfigurationError, TimeoutError, OSError) as error:
        return Report(part, errors=[f"{part}: it could not be measured: {error}"])


def _print(reports: list[Report], machine: str) -> None:
    findings = [finding for report in reports for finding in report.findings]
    if findings:
        print(findings_table(findings))
    for report in reports:
        for text in report.tables.values():
            print(f"\n{text}")
    print(f"\n{machine}")
    for report in reports:
        for error in report.errors:
            print(f"\n**{error}**")


def _size(options: argparse.Namespace) -> RunSize:
    size = QUICK if options.quick else FULL
    size = replace(size, original_python=options.original, litellm_python=options.litellm)
    if options.rounds is None:
        return size
    return replace(size, rounds=options.rounds, ways_rounds=options.rounds, depth_rounds=options.rounds)
