"""Rules and keys that change while a gateway runs: both together, at once, or not at all."""

import logging
import os
from pathlib import Path

import pytest

from fast_priority.errors import ConfigurationError
from fast_priority.gateway.policy_in_force import PolicyInForce
from fast_priority.settings import Settings

ONE_RULE = "[[rule]]\nname = 'a'\nlevel = 'low'\n"
TWO_RULES = ONE_RULE + "[[rule]]\nname = 'b'\nlevel = 'low'\n"
RULE_OF_A_KEY = "[[rule]]\nname = 'a'\nlevel = 'low'\nkey = ['new']\n"
KEYS = "[[key]]\nname = '{}'\nsha256 = '" + "a" * 64 + "'\n"


class Files:
    """The two files; each change has a time of its own."""

    def __init__(self, folder: Path) -> None:
        self.rules, self.keys = folder / "policy.toml", folder / "keys.toml"
        self._time_ns = 10**18

    def write(self, path: Path, text: str | bytes) -> None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        self._time_ns += 1_000
        os.utime(path, ns=(self._time_ns, self._time_ns))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path)
    made.write(made.rules, ONE_RULE)
    made.write(made.keys, KEYS.format("old"))
    return made


def state_of(tested: PolicyInForce) -> tuple[int, bool]:
    """Return how many rules are in force, and whether there is a warning."""
    return tested.current.number_of_rules, tested.warning is not None


def in_force(files: Files) -> PolicyInForce:
    return PolicyInForce(Settings.load(policy_file=files.rules, keys_file=files.keys))


async def test_a_change_takes_two_looks(files: Files) -> None:
    """A file counts once it has stood still from one look to the next."""
    tested = in_force(files)
    before = tested.digest
    files.write(files.rules, TWO_RULES)
    await tested.look()
    assert (tested.current.number_of_rules, tested.digest) == (1, before)
    await tested.look()
    assert tested.current.number_of_rules == 2
    assert tested.digest != before


async def test_a_file_that_is_still_written(files: Files) -> None:
    """As long as each look finds another file, nothing is read."""
    tested = in_force(files)
    for number in range(5):
        files.write(files.rules, TWO_RULES + f"# {number}\n")
        await tested.look()
    assert tested.current.number_of_rules == 1


async def test_no_change_is_no_other_policy(files: Files) -> None:
    """Files that stay as they are, or get another time only, leave the policy that is there."""
    tested = in_force(files)
    policy = tested.current
    files.write(files.rules, ONE_RULE)
    for _ in range(3):
        await tested.look()
    assert tested.current is policy


async def test_a_request_to_read_them(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    """Asked for, one look is enough, and the log says so, also if nothing has changed."""
    caplog.set_level(logging.INFO)
    tested = in_force(files)
    tested.ask()
    await tested.look()
    assert "have not changed" in caplog.text
    files.write(files.rules, TWO_RULES)
    tested.ask()
    await tested.look()
    assert tested.current.number_of_rules == 2


@pytest.mark.parametrize("bad", ["x =", ONE_RULE * 2, "[[rule]]\nname = 'a'\nlevel = 'top'\n", b"\xff", None])
async def test_a_bad_file_changes_nothing(
    files: Files, caplog: pytest.LogCaptureFixture, bad: str | bytes | None
) -> None:
    """The old policy stays, the log and health show the problem once, and the next good file is used."""
    tested = in_force(files)
    before = tested.digest
    if bad is None:
        files.rules.unlink()
    else:
        files.write(files.rules, bad)
    for _ in range(4):
        await tested.look()
    assert (tested.digest, state_of(tested)) == (before, (1, True))
    assert "policy.toml" in str(tested.warning)
    assert len(caplog.records) == 1
    files.write(files.rules, TWO_RULES)
    for _ in range(2):
        await tested.look()
    assert state_of(tested) == (2, False)


async def test_each_problem_is_a_line(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    """The log has all problems, health the first and how many there are."""
    tested = in_force(files)
    files.write(files.rules, "[[rule]]\nname = 'a'\nlevel = 'top'\nurgency = '9'\n")
    for _ in range(2):
        await tested.look()
    assert len(caplog.records) == 2
    assert "; and 1 more" in str(tested.warning)


async def test_both_files_are_one_pair(files: Files) -> None:
    """Rules for a key that the other file does not have yet wait for it."""
    tested = in_force(files)
    files.write(files.rules, RULE_OF_A_KEY)
    for _ in range(2):
        await tested.look()
    assert "key: `new` is not in the keys file" in str(tested.warning)
    files.write(files.keys, KEYS.format("new"))
    for _ in range(2):
        await tested.look()
    assert state_of(tested) == (1, False)
    assert tested.current.ring is not None
    assert tested.current.ring.names == ["new"]


async def test_a_symbolic_link_that_leads_elsewhere(files: Files, tmp_path: Path) -> None:
    """A link that is exchanged counts as a change, as those of a ConfigMap."""
    for name, text in (("first", ONE_RULE), ("second", TWO_RULES)):
        (tmp_path / name).mkdir()
        files.write(tmp_path / name / "policy.toml", text)
    data = tmp_path / "data"
    data.symlink_to(tmp_path / "first")
    tested = PolicyInForce(Settings.load(policy_file=data / "policy.toml"))
    (tmp_path / "next").symlink_to(tmp_path / "second")
    (tmp_path / "next").replace(data)
    for _ in range(2):
        await tested.look()
    assert tested.current.number_of_rules == 2


def test_equal_files_have_one_digest(files: Files, tmp_path: Path) -> None:
    """Processes with equal files show the same, wherever these are; a text that moves to the other file shows."""
    elsewhere = Files(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    elsewhere.write(elsewhere.rules, ONE_RULE)
    elsewhere.write(elsewhere.keys, KEYS.format("old"))
    assert in_force(elsewhere).digest == in_force(files).digest
    elsewhere.write(elsewhere.rules, ONE_RULE + "\n")
    assert in_force(elsewhere).digest != in_force(files).digest


def test_the_start_needs_good_files(files: Files) -> None:
    """At the start there is no policy from before, so a bad file is an error."""
    files.write(files.keys, "unknown = 'x'")
    with pytest.raises(ConfigurationError, match="unknown: 'x' is unknown"):
        in_force(files)


LEVELS = 'levels = ["high", "normal", "low"]\n'


async def test_limits_of_levels_change(files: Files) -> None:
    """The limits of levels follow the file."""
    files.write(files.rules, LEVELS)
    tested = in_force(files)
    assert tested.table.limits_of("normal") == (10_000, 300)
    files.write(files.rules, LEVELS + "[level.normal]\nmax_queued = 5\nttl = 6\n")
    await tested.look()
    await tested.look()
    assert tested.table.limits_of("normal") == (5, 6)


@pytest.mark.parametrize("levels", ["", 'levels = ["high", "low", "normal"]', 'levels = ["high", "batch", "low"]'])
async def test_levels_do_not_change(files: Files, levels: str) -> None:
    """A file with other levels changes nothing, and the warning names both and the remedy."""
    files.write(files.rules, LEVELS + ONE_RULE)
    tested = in_force(files)
    files.write(files.rules, levels + "\n" + TWO_RULES)
    await tested.look()
    await tested.look()
    assert (tested.current.number_of_rules, tested.table.levels) == (1, ("high", "normal", "low"))
    assert tested.warning is not None
    assert "and were high,normal,low" in tested.warning
    assert "FAST_PRIORITY_POLICY_CHANGE=1" in tested.warning
