"""The mock target's command line."""

from typer.testing import CliRunner

from mock_target.cli import app as command_line


def test_help_teaches_by_example() -> None:
    """--help shows the latency grammar and commands to copy."""
    text = CliRunner().invoke(command_line, ["--help"]).output
    assert "uniform:0.01,0.2" in text
    assert "curl http://127.0.0.1:9000/__admin/arrivals" in text


def test_a_bad_latency_on_the_command_line_is_a_usage_error() -> None:
    """Nothing starts; the message says what was given and what would be right."""
    result = CliRunner().invoke(command_line, ["--latency", "uniform:1"])
    assert result.exit_code == 2
    assert "'uniform:1' is not a latency" in result.output
