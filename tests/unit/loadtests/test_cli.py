"""`fast-priority loadtest`: errors are one line, exit codes are verdicts, help explains the commands."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fast_priority.errors import ConfigurationError
from fast_priority.support.install_command import install_command_of_extra
from loadtests import cli
from loadtests.scenarios import SCENARIO_OPTIONS, SCENARIOS

WIDE = {"COLUMNS": "200", "NO_COLOR": "1"}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, arguments, env=WIDE, prog_name="fast-priority loadtest")


def write_records(folder: Path, *, high_first: bool) -> tuple[str, str]:
    """Records of one slot of a second each: thirty low requests, and a second later thirty high ones."""
    requests = [(f"{priority}-{number}", priority) for priority in ("low", "high") for number in range(30)]
    served = sorted(requests, key=lambda one: one[1] != "high") if high_first else requests
    # The first low one has the slot already when all others come.
    served.remove(("low-0", "low"))
    order = [("low-0", "low"), *served]
    sent = [
        {
            "request_id": name,
            "priority": priority,
            "sent_at": float(priority == "high"),
            "ended_at": 99.0,
            "outcome": "left",
        }
        for name, priority in requests
    ]
    arrivals = [
        {"request_id": name, "arrived_at": 0.5 + place, "finished_at": 1.5 + place}
        for place, (name, _) in enumerate(order)
    ]
    paths = folder / "sent.ndjson", folder / "arrivals.ndjson"
    for path, records in zip(paths, (sent, arrivals), strict=True):
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(paths[0]), str(paths[1])


@pytest.mark.parametrize(("high_first", "code", "verdict"), [(True, 0, "PROVED"), (False, 1, "VIOLATED")])
def test_records_of_ones_own_are_judged(tmp_path: Path, high_first: bool, code: int, verdict: str) -> None:
    """`judge` reads existing records, and its exit code is the verdict."""
    sent, arrivals = write_records(tmp_path, high_first=high_first)
    judged = run("judge", "--sent", sent, "--arrivals", arrivals, "--slots", "1")
    assert judged.exit_code == code, judged.output
    assert any(line.startswith(verdict) and "order" in line for line in judged.output.splitlines())


def test_a_file_that_cannot_be_read_is_said_in_one_line(tmp_path: Path) -> None:
    """The error has file and number of an invalid line, and the exit code is 2."""
    sent, arrivals = write_records(tmp_path, high_first=True)
    Path(sent).write_text("{}\n")
    judged = run("judge", "--sent", sent, "--arrivals", arrivals, "--slots", "1")
    assert judged.exit_code == 2
    assert judged.stderr.startswith("error: ")
    assert f"{sent}, line 1" in judged.stderr


@pytest.mark.parametrize("levels", ["high", "high,normal", "low,low"])
def test_records_of_other_levels(tmp_path: Path, levels: str) -> None:
    """`judge` names what is wrong with `--levels`, and the exit code is 2."""
    sent, arrivals = write_records(tmp_path, high_first=True)
    judged = run("judge", "--sent", sent, "--arrivals", arrivals, "--slots", "1", "--levels", levels)
    assert judged.exit_code == 2
    assert "--levels names the levels, the most important first" in judged.stderr


def test_records_of_three_levels(tmp_path: Path) -> None:
    """`judge` judges each pair of `--levels`: a wrong order of two is a violation, whatever their names."""
    sent, arrivals = write_records(tmp_path, high_first=False)
    for path in (sent, arrivals):
        Path(path).write_text(Path(path).read_text().replace("low", "batch"))
    judged = run("judge", "--sent", sent, "--arrivals", arrivals, "--slots", "1", "--levels", "high,normal,batch")
    assert judged.exit_code == 1
    assert "batch requests reached the target while a high one was waiting" in judged.output


def test_a_mistake_of_ours_is_no_verdict(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An unexpected exception exits 2, because 1 would mean that the gateway broke a promise."""

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("loadtests.cli.check_command.plan_runs", fail)
    assert run("check", "--out", str(tmp_path)).exit_code == 2


@pytest.mark.parametrize("given", [("--url", "http://gateway"), ("--target-url", "http://target")])
def test_a_gateway_without_its_target_is_refused(given: tuple[str, str], tmp_path: Path) -> None:
    """--url and --target-url go together, and the error names both."""
    refused = run("check", *given, "--out", str(tmp_path))
    assert refused.exit_code == 2
    assert "--url and --target-url go together" in refused.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((), "--slots is missing"),
        (("--slots", "4", "--workers", "2"), "--workers, --gateways and --shape are for the own stack"),
        (("--slots", "4", "--gateways", "2"), "--workers, --gateways and --shape are for the own stack"),
        (("--slots", "4", "--shape", "mixed"), "--workers, --gateways and --shape are for the own stack"),
    ],
)
def test_an_external_gateway_needs_slots_and_no_stack_options(
    given: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    """With --url the slots are required, and options without effect are refused."""
    urls = ("--url", "http://gateway", "--target-url", "http://target")
    refused = run("check", *urls, *given, "--out", str(tmp_path))
    assert refused.exit_code == 2
    assert words in refused.stderr


def test_a_stack_without_workers_takes_no_number_of_them(tmp_path: Path) -> None:
    """--workers with a shape that runs none is refused, and the error names both options."""
    refused = run("check", "--shape", "slots", "--workers", "2", "--out", str(tmp_path))
    assert refused.exit_code == 2
    assert "--shape slots runs no workers: leave --workers out" in refused.stderr


def test_a_folder_that_cannot_be_written_to_is_said_before_anything_runs(tmp_path: Path) -> None:
    """A folder that cannot be written to is an error before the run starts, not minutes later."""
    (tmp_path / "file").touch()
    refused = run("check", "--out", str(tmp_path / "file" / "results"))
    assert refused.exit_code == 2
    assert "cannot be written to" in refused.stderr


def test_what_is_not_installed_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the extra is not installed, the error has the command that installs it."""
    monkeypatch.setattr("loadtests.cli.exit_codes.importlib.util.find_spec", lambda _: None)
    refused = run("check")
    assert refused.exit_code == 2
    assert refused.stderr.strip().endswith(install_command_of_extra("loadtest"))


def test_the_help_of_the_page_has_every_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ui --help` shows the options of scenarios, their variables and defaults, and needs no locust."""
    monkeypatch.setitem(sys.modules, "locust", None)
    shown = run("ui", "--help")
    assert shown.exit_code == 0
    for option in SCENARIO_OPTIONS:
        assert option.name in shown.output
        assert option.variable in shown.output
    assert all(name in shown.output for name in SCENARIOS)


def test_options_of_the_page_reach_locust(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ui` passes on all that it is given, locust's own options too, and nothing that it is not."""
    executed: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, arguments: executed.append(arguments))
    given = ("--slots", "2", "--high-path=/urgent", "--web-port", "9999", "--headless", "--sent-file", "a file")
    assert run("ui", *given).exit_code == 0
    (arguments,) = executed
    passed_on = arguments[arguments.index("-f") + 2 :]
    assert sorted(passed_on) == sorted(
        ["--slots", "2", "--high-path", "/urgent", "--web-port", "9999", "--headless", "--sent-file", "a file"]
    )


def test_an_error_of_many_lines_keeps_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The output of a failed process follows the error, unchanged."""

    def fail(*_: Any) -> None:
        raise ConfigurationError("the gateway ended as it started\n  | address in use")

    monkeypatch.setattr("loadtests.cli.check_command.run_and_report", fail)
    assert run("check", "--out", str(tmp_path)).stderr.splitlines() == [
        "error: the gateway ended as it started",
        "  | address in use",
    ]


def test_a_plan_has_slots_a_table_and_assumptions() -> None:
    """`plan` prints a number of slots, the results of fewer and more, and its assumptions."""
    planned = run("plan", "--high", "20", "--low", "100", "--service-seconds", "0.05", "--within", "0.02")
    assert planned.exit_code == 0
    assert planned.output.startswith("8 slots: p95 wait of high at most 20 ms")
    assert "too few" in planned.output
    assert "Poisson" in planned.output


@pytest.mark.parametrize("words", [("--measure", "p42"), ("--within", "0"), ("--high", "-1")])
def test_a_plan_for_what_cannot_be_is_refused(words: tuple[str, str]) -> None:
    """An unknown measure, and numbers out of range, are refused by name."""
    usual = ("--high", "20", "--low", "100", "--service-seconds", "0.05", "--within", "0.02")
    refused = run("plan", *usual, *words)
    assert refused.exit_code == 2
    assert words[0].removeprefix("--") in refused.stderr


def test_help_teaches_each_command() -> None:
    """Help names the scenarios and the exit codes, and shows a complete command."""
    assert "0 proved, 1 violated, 2 could not run, 3 proved nothing" in run("--help").output
    text = run("check", "--help").output
    assert "saturation, burst, mixed" in text
    assert "fast-priority loadtest check --url http://localhost:8080" in text
