"""How fast the gateway is, beside others and beside its bounds: docs/evidence/performance.md, by one command.

Prints Markdown tables on stdout and its progress on stderr; `--write docs/evidence` puts tables, pictures and every
figure into the documentation. Exits 1 if a bound does not hold or a figure does not count, 2 if something is missing.
It takes about half an hour; --quick takes four, and its figures are good for nothing but trying.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

# Run as a script, Python looks beside the file only.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dataclasses import replace

from benchmarks.command_line import end_on_signals, positive
from benchmarks.findings import Report, findings_table
from benchmarks.machine import has_haproxy, machine_line, prepare_process, programs_line, require_programs
from benchmarks.measure_cores import measure_cores
from benchmarks.measure_costs import measure_costs
from benchmarks.measure_crowd import measure_crowd
from benchmarks.measure_depth import measure_depth
from benchmarks.measure_request import measure_request
from benchmarks.measure_slots import measure_bound, measure_busy
from benchmarks.measure_ways import measure_free, measure_grid, measure_idle
from benchmarks.page import write_documents
from benchmarks.recording import tell
from benchmarks.sizes import FULL, QUICK, Sizes
from fast_priority.errors import ConfigurationError

_INTERRUPTED = 130
_PARTS: dict[str, Callable[[Sizes], Report]] = {
    "ways": measure_grid,
    "bound": measure_bound,
    "free": measure_free,
    "idle": measure_idle,
    "busy": measure_busy,
    "depth": measure_depth,
    "crowd": measure_crowd,
    "cores": measure_cores,
    "costs": measure_costs,
    "request": measure_request,
}


def main() -> int:
    """Measure, print, and give the exit status."""
    options = _options()
    end_on_signals()
    prepare_process()
    try:
        require_programs()
        machine = f"{machine_line()} {programs_line()}"  # before the load: it tells how busy the machine was
        if not has_haproxy():
            tell("HAProxy is not there, so nothing is compared with it: apt install haproxy")
        reports = [_measure(part, _sizes(options)) for part in _PARTS if part in (options.only or _PARTS)]
    except KeyboardInterrupt:
        print("interrupted; nothing is left running", file=sys.stderr)
        return _INTERRUPTED
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    _print(reports, machine)
    if options.write:
        write_documents(Path(options.write), reports, machine)
    fails = any(finding.holds is False for report in reports for finding in report.findings)
    return 1 if fails or any(report.errors for report in reports) else 0


def _measure(part: str, sizes: Sizes) -> Report:
    """Measure one part; one that cannot be measured must not lose what the others gave."""
    tell(f"== {part}")
    try:
        return _PARTS[part](sizes)
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


def _sizes(options: argparse.Namespace) -> Sizes:
    sizes = QUICK if options.quick else FULL
    if options.rounds is None:
        return sizes
    return replace(sizes, rounds=options.rounds, grid_rounds=options.rounds, depth_rounds=options.rounds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=_PARTS, help="this part; may be given several times [all]")
    parser.add_argument("--quick", action="store_true", help="small and short, to see that everything works")
    parser.add_argument("--rounds", type=positive, help="how often everything is measured")
    parser.add_argument("--write", metavar="FOLDER", help="write the results into this folder: docs/evidence")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
