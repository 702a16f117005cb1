"""The mock target's command line."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mock_target import MockSettings, server
from mock_target.cli.command import app as command_line
from mock_target.settings.json_format import write_settings
from mock_target.settings.knob import Knob
from mock_target.settings.knob_table import FAULTS, KNOBS

HELP = CliRunner().invoke(command_line, ["--help"], terminal_width=100).output


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[MockSettings]:
    """The settings with which a mock would have been started."""
    found: list[MockSettings] = []
    monkeypatch.setattr(server, "run_mock", lambda started_with, _host, _port: found.append(started_with))
    return found


def written(started: list[MockSettings]) -> dict[str, Any]:
    (started_with,) = started
    return write_settings(started_with.settings)


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.name)
def test_help_teaches_every_knob(knob: Knob) -> None:
    """Name, meaning and example are in --help, wrapped."""
    text = " ".join(HELP.split())
    assert f"{knob.name} {knob.meaning}" in text
    assert knob.example in text


@pytest.mark.parametrize("fault", FAULTS)
def test_help_teaches_every_fault(fault: str) -> None:
    """Each fault is on its own line."""
    assert f"\n    {fault} " in HELP


def test_help_teaches_by_example() -> None:
    """--help shows the latency grammar and commands to copy, none of them wrapped."""
    assert "uniform:0.01,0.2" in HELP
    assert "  curl http://127.0.0.1:9000/__admin/arrivals\n" in HELP


def test_without_options_only_the_default_latency_is_set(started: list[MockSettings]) -> None:
    """A mock without options echoes after 0.05 seconds, without a limit."""
    assert CliRunner().invoke(command_line, []).exit_code == 0
    assert (written(started)["latency"], written(started)["limit"]) == ("fixed:0.05", None)


def test_options_overrule_the_environment_and_both_the_file(started: list[MockSettings], tmp_path: Path) -> None:
    """--set wins over an option, an option over MOCK_TARGET_*, and those over --settings."""
    file = tmp_path / "settings.json"
    settings = {"latency": "1", "limit": 1, "error_rate": 0.1, "status": 201, "routes": [{"path": "/a"}]}
    file.write_text(json.dumps(settings))
    environment = {"MOCK_TARGET_SETTINGS": str(file), "MOCK_TARGET_LATENCY": "2", "MOCK_TARGET_LIMIT": "2"}
    arguments = ["--latency", "3", "--max-queued", "9", "--set", "status=202", "--set", "body=a=b", "--seed", "7"]
    assert CliRunner().invoke(command_line, arguments, env=environment).exit_code == 0
    found = written(started)
    assert (found["latency"], found["limit"], found["error_rate"], found["max_queued"]) == ("fixed:3.0", 2, 0.1, 9)
    assert (found["status"], found["body"], len(found["routes"])) == (202, "a=b", 1)
    assert started[0].seed == 7


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_options_does_not_matter(started: list[MockSettings], order: int) -> None:
    """A fault and its rate are set in either order."""
    arguments = [part for text in ["fault=reset", "fault_rate=0.1"][::order] for part in ("--set", text)]
    assert CliRunner().invoke(command_line, arguments).exit_code == 0
    assert (written(started)["fault"], written(started)["fault_rate"]) == ("reset", 0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--latency", "uniform:1"], "--latency is 'uniform:1': uniform takes two numbers"),
        (["--limit", "0"], "--limit is '0': write a number of requests from 1 to 100000"),
        (["--set", "fault"], "--set is 'fault': write NAME=VALUE, like error_rate=0.05"),
        (["--set", "falt=reset"], "--set is 'falt=reset': no knob has this name; the nearest is fault"),
        (["--set", "fault=rest"], "--set fault is 'rest': write one of reset, empty"),
        (["--settings", "no-such-file"], "--settings is 'no-such-file': name a file that can be read"),
    ],
)
def test_a_mistake_is_a_usage_error(started: list[MockSettings], arguments: list[str], message: str) -> None:
    """Nothing starts; one line names the option, the value and what to write instead."""
    result = CliRunner().invoke(command_line, arguments)
    assert (result.exit_code, started) == (2, [])
    assert message in result.output


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "the JSON is '{': write JSON"), ('{"routes": [{"path": 1}]}', "routes[0].path is '1': write a path")],
)
def test_a_mistake_in_the_file_is_a_usage_error(
    started: list[MockSettings], tmp_path: Path, text: str, message: str
) -> None:
    """The line names the file and the place in it."""
    file = tmp_path / "settings.json"
    file.write_text(text)
    result = CliRunner().invoke(command_line, ["--settings", str(file)])
    assert (result.exit_code, started) == (2, [])
    assert f"{file}: {message}" in result.output
