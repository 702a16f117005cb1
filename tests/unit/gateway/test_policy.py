"""The line about rules and keys with which a gateway starts."""

from pathlib import Path
from typing import Any

import pytest

from fast_priority.gateway.policy import policy_from, policy_in_words
from fast_priority.settings import Settings

RULE = "[[rule]]\nname = 'a'\nlevel = 'low'\n"
KEY = "[[key]]\nname = 'a'\nsha256 = '" + "a" * 64 + "'\n"


def words(folder: Path, rules: str | None, keys: str | None, **settings: Any) -> str:
    for name, text in (("policy_file", rules), ("keys_file", keys)):
        if text is not None:
            (folder / name).write_text(text)
            settings[name] = folder / name
    loaded = Settings.load(**settings)
    policy = policy_from(loaded)
    assert policy is not None
    return policy_in_words(policy, loaded).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("rules", "keys", "expected"),
    [
        (RULE, None, "1 rule of policy_file"),
        ("", KEY, "0 rules of policy_file; 1 key of keys_file, without a known key at most low"),
        (None, f"unknown = 'refuse'\n{KEY}", "1 key of keys_file, without a known key refused"),
    ],
)
def test_what_there_is(tmp_path: Path, rules: str | None, keys: str | None, expected: str) -> None:
    """It says how many rules and keys there are, and what a request without a key gets."""
    assert words(tmp_path, rules, keys) == expected


def test_rules_for_proxies_without_proxies(tmp_path: Path) -> None:
    """A rule that can match no request, since no proxy is trusted, is named."""
    rules = RULE + "trusted = true\n"
    assert "rule 'a' counts for no request" in words(tmp_path, rules, None)
    assert "counts for no request" not in words(tmp_path, rules, None, trusted_proxies=("10.0.0.0/8",))


def test_no_files() -> None:
    """Without files there is no policy."""
    assert policy_from(Settings.load()) is None
