"""The rules in words, as a gateway logs them when it starts."""

import pytest

from fast_priority.scheduling.path_forms import PathCase
from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import Listing, RequestFacts, Rules
from fast_priority.scheduling.rules_in_words import rules_in_words

LISTED, UNLISTED = Listing.LISTED, Listing.UNLISTED
DOCUMENTATION = "GET and HEAD of /docs, /redoc, /openapi.json"


def levels(listing: Listing, paths: list[str], bases: list[str], *, ignore_outer_slashes: bool = True) -> str:
    """Return the part about the levels."""
    words = rules_in_words(listing, paths, bases, [], ignore_outer_slashes=ignore_outer_slashes)
    return words.partition("; without")[0]


@pytest.mark.parametrize(
    ("listing", "paths", "bases", "words"),
    [
        (UNLISTED, [], [], "all paths high"),
        (LISTED, [], [], "all paths low"),
        (UNLISTED, ["orders"], [], "low: /orders; all else high"),
        (LISTED, ["/orders/"], [], "high: /orders; all else low"),
        (UNLISTED, [], ["reports/"], "low: /reports and below; all else high"),
        (UNLISTED, [], ["reports"], "low: all that begins with /reports; all else high"),
        (LISTED, ["a", "b/c"], ["d/", "e"], "high: /a, /b/c, /d and below, all that begins with /e; all else low"),
        (UNLISTED, ["a", "/a", "a/"], [], "low: /a; all else high"),
        (UNLISTED, [], ["/"], "low: every path; all else high"),
    ],
)
def test_levels(listing: Listing, paths: list[str], bases: list[str], words: str) -> None:
    """The words name the paths that the settings list, their level, and the level of all others."""
    assert levels(listing, paths, bases) == words


def test_outer_slashes_that_count() -> None:
    """Where outer slashes count, each path is named with its own, and a beginning is no segment."""
    words = levels(UNLISTED, ["a/"], ["reports/"], ignore_outer_slashes=False)
    assert words == "low: /a/, all that begins with /reports/; all else high"


@pytest.mark.parametrize(
    ("pass_through", "words"),
    [
        ([], f"without a queue: {DOCUMENTATION}"),
        (["health/"], f"without a queue: /health, {DOCUMENTATION}"),
        (["/", "version"], f"without a queue: /, /version, {DOCUMENTATION}"),
    ],
)
def test_without_a_queue(pass_through: list[str], words: str) -> None:
    """The words name the paths that skip the queue, and the target's documentation."""
    assert rules_in_words(UNLISTED, [], [], pass_through) == f"all paths high; {words}"


def test_capital_letters() -> None:
    """Where small and capital letters are the same, the words say so."""
    words = rules_in_words(UNLISTED, ["a"], [], [], case=PathCase.IGNORE)
    assert words.endswith("; small and capital letters are the same")


def test_many_paths() -> None:
    """Of a long list, 20 paths are named, and the others are counted."""
    words = levels(UNLISTED, [f"p{number}" for number in range(5000)], [])
    assert "/p19 and 4980 more; all else high" in words
    assert "/p20" not in words


@pytest.mark.parametrize("ignores", [True, False])
@pytest.mark.parametrize("listing", Listing)
@pytest.mark.parametrize("base", ["reports", "reports/", "/reports", "/", "//"])
def test_the_words_are_those_of_the_rules(listing: Listing, base: str, ignores: bool) -> None:
    """A path has the level that the words name for it."""
    rules = Rules.of(listing, [], [base], ignore_outer_slashes=ignores)
    words = levels(listing, [], [base], ignore_outer_slashes=ignores)
    named, others = (Priority.HIGH, Priority.LOW) if listing is LISTED else (Priority.LOW, Priority.HIGH)
    for path in ("/reports", "/reports/7", "/reports-old", "/other"):
        _, _, beginning = words.partition("all that begins with ")
        is_named = (
            "every path" in words
            or ("and below" in words and (path == "/reports" or path.startswith("/reports/")))
            or (bool(beginning) and path.startswith(beginning.partition(";")[0]))
        )
        assert rules.priority_of(RequestFacts(path, "POST")) is (named if is_named else others), (path, words)
