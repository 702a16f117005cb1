"""`fast-priority explain` and `fast-priority key`."""

import hashlib
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fast_priority import cli

POLICY = """
[[rule]]
name = "batch"
path = "/v1/chat"
body = { "/model" = { starts = "llama-70b" } }
level = "low"

[[rule]]
name = "closed"
path_prefix = "/closed/"
refuse = 403

[[rule]]
name = "inside"
client = ["10.0.0.0/8"]
pass_through = true
"""
KEYS = f"""
[[key]]
name = "labelling"
sha256 = "{hashlib.sha256(b"fp_one").hexdigest()}"
highest = "low"
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, arguments, env={"COLUMNS": "200", "NO_COLOR": "1"}, catch_exceptions=False)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "policy.toml").write_text(POLICY)
    monkeypatch.setenv("FAST_PRIORITY_POLICY_FILE", str(tmp_path / "policy.toml"))
    return tmp_path


def explained(*arguments: str) -> dict[str, str]:
    """Return what `explain` prints, by the first word of each line."""
    result = run("explain", *arguments)
    assert result.exit_code == 0, result.output
    return {line[:12].strip(): line[12:] for line in result.stdout.splitlines()}


def test_a_rule_decides(files: Path) -> None:
    """The rule, the level and the TTL are shown."""
    body = files / "body.json"
    body.write_text('{"model": "llama-70b-chat"}')
    assert explained("POST", "/v1/chat", "-d", f"@{body}") == {
        "decided by": "rule 'batch'",
        "level": "low",
        "ttl": "300 seconds",
    }
    assert explained("POST", "/v1/chat", "-d", '{"model": "x"}')["decided by"] == "the path settings"


@pytest.mark.parametrize(
    ("arguments", "level"),
    [
        (["GET", "/orders"], "high"),
        (["POST", "/closed/x?a=b"], "none: it is refused with 403"),
        (["GET", "/orders", "--from", "10.1.2.3"], "none: it skips the queue"),
        (["GET", "/health"], "none: it skips the queue"),
    ],
)
@pytest.mark.usefixtures("files")
def test_levels(arguments: list[str], level: str) -> None:
    """A refusal, and a way past the queue, are shown in place of the level."""
    assert explained(*arguments)["level"] == level


@pytest.mark.parametrize(
    "more",
    [
        ["-H", "Content-Encoding: gzip", "-d", "x"],
        ["-H", "Transfer-Encoding: chunked", "-d", "{}"],
        ["-d", "{"],
    ],
)
@pytest.mark.usefixtures("files")
def test_what_is_unknown(more: list[str]) -> None:
    """A rule that cannot be judged is named, with the reason."""
    found = explained("POST", "/v1/chat", *more)
    assert found["level"] == "low"
    assert found["unknown"] == "whether it matches rule 'batch'; its body cannot be looked at"


def test_keys_are_shown_by_name(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the key is shown, and what it does to the level; the key itself never is."""
    (files / "keys.toml").write_text(KEYS)
    monkeypatch.setenv("FAST_PRIORITY_KEYS_FILE", str(files / "keys.toml"))
    found = explained("GET", "/orders", "-H", "Authorization: Bearer fp_one")
    assert (found["level"], found["key"]) == ("low, as its key allows no higher one", "labelling, at most low")
    assert explained("GET", "/orders")["key"] == "no key, so it is capped"
    unknown = explained("GET", "/orders", "-H", "Authorization: Bearer fp_two")
    assert unknown["key"] == "a key that is not in the file, so it is capped"
    assert "fp_" not in str(unknown)


def test_without_files() -> None:
    """Without rules, the path settings decide."""
    assert explained("GET", "/orders") == {"decided by": "the path settings", "level": "high", "ttl": "300 seconds"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["GET", "orders"], "GET orders is no request"),
        (["GET", "http://a/b"], "is no request"),
        (["G ET", "/"], "is no request"),
        (["GET", "/", "-H", "Authorization fp_one"], 'write --header "Name: value"'),
        (["GET", "/", "-d", "@/not/there"], "write @ and the path of a file"),
        (["GET", "/", "--from", "here"], "--from 'here' is not an address"),
    ],
)
def test_what_is_no_request(arguments: list[str], expected: str) -> None:
    """It is one line, exit status 2, and no field is shown."""
    result = run("explain", *arguments)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert expected in line
    assert "fp_one" not in line


def test_a_bad_file_has_a_line_for_each_problem(files: Path) -> None:
    """The problems of the files are the errors with which a gateway would end."""
    (files / "policy.toml").write_text("[[rule]]\nname = 'a'\nlevel = 'lo'\nurgency = '9'\n")
    result = run("explain", "GET", "/")
    assert result.exit_code == 2
    assert ["rule 1 'a': urgency" in result.stderr, "rule 1 'a': level: `lo` is not a level" in result.stderr] == [
        True,
        True,
    ]


def test_a_new_key(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry on stdout can be added to the file as it is; the key stands on stderr alone, and no two are equal."""
    made = [run("key", 'a "b"', "--highest", "low"), run("key", "c")]
    (files / "keys.toml").write_text("".join(result.stdout for result in made))
    keys = [result.stderr.splitlines()[-1] for result in made]
    entries = tomllib.loads((files / "keys.toml").read_text())["key"]
    assert [entry["name"] for entry in entries] == ['a "b"', "c"]
    assert [entry["sha256"] for entry in entries] == [hashlib.sha256(key.encode()).hexdigest() for key in keys]
    assert all(key not in result.stdout for key in keys for result in made)
    assert len(set(keys)) == 2
    monkeypatch.setenv("FAST_PRIORITY_KEYS_FILE", str(files / "keys.toml"))
    assert explained("GET", "/", "-H", f"Authorization: Bearer {keys[0]}")["key"] == 'a "b", at most low'


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 101])
def test_a_name_that_is_no_name(name: str) -> None:
    """A name that would not be accepted in the file makes no key."""
    result = run("key", name)
    assert (result.exit_code, result.stdout) == (2, "")


def test_standalone_with_a_bad_file_starts_nothing(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The problem is the only output: no process was started."""
    monkeypatch.setenv("FAST_PRIORITY_TARGET_BASE_URL", "http://127.0.0.1:9")
    (files / "policy.toml").write_text("rule = 5")
    result = run("standalone")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert "policy.toml: rule: it has to be a list" in result.stderr
