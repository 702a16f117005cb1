"""FAST_PRIORITY_WORKERS, or FAST_PRIORITY_WORKER: whether this is a worker, and how many processes."""

import pytest

from fast_priority.errors import ConfigurationError
from fast_priority.settings import Settings, warnings_about_environment

both_spellings = pytest.mark.parametrize("variable", ["FAST_PRIORITY_WORKERS", "FAST_PRIORITY_WORKER"])


def test_gateway_without_it() -> None:
    """Without either variable, this is a gateway."""
    assert not Settings.load().runs_as_worker


@both_spellings
def test_gateway_when_empty(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """An empty variable is no variable: this is a gateway."""
    monkeypatch.setenv(variable, "")
    assert not Settings.load().runs_as_worker


@both_spellings
@pytest.mark.parametrize(("text", "processes"), [("1", 1), ("4", 4), ("512", 512), ("true", 1), ("yes", 1)])
def test_worker_when_set(monkeypatch: pytest.MonkeyPatch, variable: str, text: str, processes: int) -> None:
    """Either variable starts workers: a number of processes, or one process for any other word."""
    monkeypatch.setenv(variable, text)
    settings = Settings.load()
    assert (settings.runs_as_worker, settings.worker_processes) == (True, processes)


def test_first_spelling_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """With both set, FAST_PRIORITY_WORKERS counts."""
    monkeypatch.setenv("FAST_PRIORITY_WORKERS", "3")
    monkeypatch.setenv("FAST_PRIORITY_WORKER", "2")
    assert Settings.load().worker_processes == 3


def test_empty_spelling_does_not_hide_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty FAST_PRIORITY_WORKERS counts as not set, so FAST_PRIORITY_WORKER does."""
    monkeypatch.setenv("FAST_PRIORITY_WORKERS", "")
    monkeypatch.setenv("FAST_PRIORITY_WORKER", "2")
    settings = Settings.load()
    assert (settings.runs_as_worker, settings.worker_processes) == (True, 2)


@pytest.mark.parametrize("variable", ["WORKERS", "WORKER", "TARGET_BASE_URL", "TTL", "HOST", "PORT", "REDIS_HOST"])
def test_names_without_prefix_are_not_ours(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """A variable without FAST_PRIORITY_ in front, such as another program's WORKERS, changes nothing."""
    usual = Settings.load()
    monkeypatch.setenv(variable, "3")
    assert Settings.load() == usual


def test_given_as_argument() -> None:
    """What is given as an argument counts, by the setting's own name."""
    assert Settings.load(workers="2").worker_processes == 2


@both_spellings
@pytest.mark.parametrize("text", ["0", "-1", "513", " 600 ", "99999999999999999999"])
def test_impossible_number(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    """A number of processes outside of 1 to 512 is refused, however it is written."""
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigurationError, match=r"FAST_PRIORITY_WORKERS=.* 1 to 512"):
        Settings.load()


@pytest.mark.parametrize("text", ["+4", " 4 "])
def test_number_in_other_clothes(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A number with a sign or blanks around it is that number."""
    monkeypatch.setenv("FAST_PRIORITY_WORKERS", text)
    assert Settings.load().worker_processes == 4


def test_digit_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """A character that only looks like a digit is a word: one process."""
    monkeypatch.setenv("FAST_PRIORITY_WORKERS", "\N{SUPERSCRIPT TWO}")
    assert Settings.load().worker_processes == 1


@both_spellings
@pytest.mark.parametrize("text", ["false", "No", " off ", "none"])
def test_a_word_that_says_no(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    """A word that means no is refused: otherwise it would start workers where a gateway is meant."""
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigurationError, match="unset it for a gateway"):
        Settings.load()
    assert warnings_about_environment() == []


@both_spellings
@pytest.mark.parametrize("text", ["2.0", "two", "auto", "0x4", "4 8", "1e1", "true"])
def test_no_whole_number(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    """What is no whole number starts one process, with a warning that names the variable."""
    monkeypatch.setenv(variable, text)
    assert Settings.load().worker_processes == 1
    (warning,) = warnings_about_environment()
    assert warning.startswith(f"{variable}={text!r} is no whole number and counts as one worker process")


@both_spellings
@pytest.mark.parametrize("text", ["1", " 4 ", "+512", ""])
def test_whole_number(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    """A whole number, or nothing, is not warned of."""
    monkeypatch.setenv(variable, text)
    assert warnings_about_environment() == []


@pytest.mark.parametrize(
    ("workers", "slots", "text"),
    [
        ("auto", 1, "1 worker process with 1 slot each"),
        ("2", 1, "2 worker processes with 1 slot each"),
        ("1", 8, "1 worker process with 8 slots each"),
    ],
)
def test_workers_as_text(workers: str, slots: int, text: str) -> None:
    """The processes that run, and their slots, can be read."""
    assert Settings.load(workers=workers, worker_concurrency=slots).workers_as_text == text


@pytest.mark.parametrize(
    ("slots", "text"),
    [
        (0, "gateway with no slots (workers forward its queued requests)"),
        (1, "gateway with 1 slot"),
        (1024, "gateway with 1024 slots"),
    ],
)
def test_gateway_as_text(slots: int, text: str) -> None:
    """A gateway's slots can be read; one without says who forwards its requests."""
    assert Settings.load(slots=slots).gateway_as_text == text
