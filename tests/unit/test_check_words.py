"""The word list of the lint: it finds planted words where prose stands, and the repository has none."""

from pathlib import Path

import pytest

from tools.check_words import REPOSITORY, files, findings, main

MANY_FILES = 300


@pytest.mark.parametrize(
    ("name", "text", "line", "word"),
    [
        ("module.py", '"""First line.\n\nSent thrice.\n"""\n', 3, "thrice"),
        ("module.py", "count = 3\ncount += 1  # Thrice in all.\n", 2, "Thrice"),
        ("module.py", 'raise ValueError(f"{name} was sent thrice")\n', 1, "thrice"),
        ("module.py", 'def number() -> int:\n    """Give the number."""\n', 2, '"""Give the'),
        ("page.md", "# Title\n\nClosed in the\nmidst of it.\n", 4, "midst"),
        ("page.md", "It was waited for in\nvain.\n", 1, "in vain"),
        ("script.lua", "-- Nobody's job.\n", 1, "Nobody's"),
    ],
    ids=["docstring", "comment", "message", "start of a docstring", "page", "across lines", "Lua"],
)
def test_a_planted_word_is_found(tmp_path: Path, name: str, text: str, line: int, word: str) -> None:
    """A word of the list is reported with its line, in comments and strings of Python and in other texts."""
    planted = tmp_path / name
    planted.write_text(text)
    assert [(at, found) for at, found, _ in findings(planted)] == [(line, word)]


@pytest.mark.parametrize(
    "text",
    [
        "thrice = heard(1)\n",
        'seen["heard"] = 1\n',
        '"""Return None if there is none. True if it is None."""\n',
        '"""Read `was_spoilt`, and what was overheard."""\n',
    ],
    ids=["name", "key", "none", "part of a word"],
)
def test_other_text_is_not_reported(tmp_path: Path, text: str) -> None:
    """Names, strings of one word, parts of words, and ordinary phrases are no findings."""
    (tmp_path / "module.py").write_text(text)
    assert list(findings(tmp_path / "module.py")) == []


def test_a_finding_fails_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If a word is found the exit status is 1, and the output names file, line, word and what to write instead."""
    page = tmp_path / "page.md"
    page.write_text("Sent three times.\n")
    assert main(tmp_path) == 0
    page.write_text("Sent thrice.\n")
    assert main(tmp_path) == 1
    assert capsys.readouterr().out == "page.md:1: 'thrice': write: three times\n"


def test_no_word_of_the_list_is_in_the_repository() -> None:
    """All folders and pages of the repository are read, and none has a word of the list."""
    read = files()
    assert len(read) > MANY_FILES
    assert {REPOSITORY / "README.md", REPOSITORY / "Makefile", REPOSITORY / "fast_priority" / "app.py"} <= set(read)
    assert [(path, *found) for path in read for found in findings(path)] == []
