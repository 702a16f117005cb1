"""The command line of the benchmarks."""

import argparse
import signal
from collections.abc import Iterator

import pytest

from benchmarks.cli import BENCHMARKS, PROCESSES, main
from benchmarks.performance.parts import PARTS
from benchmarks.support import exit_status, positive_int
from fast_priority.errors import ConfigurationError


@pytest.fixture
def _kept_signal_handlers() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, handlers, strict=True):
        signal.signal(number, handler)


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m benchmarks --help` names each command."""
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    shown = capsys.readouterr().out
    assert [name for name in (*BENCHMARKS, *PROCESSES) if f"  {name} " not in shown] == []


@pytest.mark.parametrize("name", [*BENCHMARKS, *PROCESSES])
def test_each_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m benchmarks COMMAND --help` shows how to call that command."""
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    assert capsys.readouterr().out.startswith(f"usage: python -m benchmarks {name} ")


@pytest.mark.parametrize("part", PARTS)
def test_help_of_measure_lists_every_part(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With one line about it."""
    with pytest.raises(SystemExit, match="0"):
        main(["measure", "--help"])
    assert PARTS[part].summary in capsys.readouterr().out


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The exit status is 2, and the message names the commands."""
    with pytest.raises(SystemExit, match="2"):
        main(["speed"])
    assert "performance" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "-1"])
def test_a_count_below_one_is_refused(text: str) -> None:
    """As argparse expects it."""
    with pytest.raises(argparse.ArgumentTypeError):
        positive_int(text)


@pytest.mark.usefixtures("_kept_signal_handlers")
@pytest.mark.parametrize(
    ("error", "status"), [(ConfigurationError("wrk"), 2), (TimeoutError(), 2), (KeyboardInterrupt(), 130)]
)
def test_a_benchmark_that_cannot_measure_has_its_own_exit_status(error: BaseException, status: int) -> None:
    """1 is left for bounds that do not hold."""

    def fail() -> int:
        raise error

    assert exit_status(fail) == status
