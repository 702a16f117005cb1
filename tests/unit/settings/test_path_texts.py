"""Paths in settings: what no request can match is refused, and what looks like a pattern is warned of."""

import pytest

from fast_priority.errors import ConfigurationError
from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import RequestFacts
from fast_priority.settings import Settings, warnings_about_environment

LISTS = ("PRIO_PATHS", "PRIO_BASE_PATHS", "PASS_THROUGH")
SINGLE = ("DOC_PATH", "REDOC_PATH", "HEALTH_PATH")
every_list = pytest.mark.parametrize("variable", LISTS)
every_path = pytest.mark.parametrize("variable", LISTS + SINGLE)


def refusal(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> str:
    monkeypatch.setenv(f"FAST_PRIORITY_{variable}", text)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"FAST_PRIORITY_{variable}=")
    return line


def warnings_of(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> list[str]:
    monkeypatch.setenv(f"FAST_PRIORITY_{variable}", text)
    Settings.load()
    return warnings_about_environment()


@every_path
@pytest.mark.parametrize("text", ['"a"', "'a'", "`a`", "\u201ca\u201d", '"a', "a'", 'a"b'])
def test_quotes(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    """Quotes around a path are refused, with what to write instead."""
    assert "write it without them" in refusal(monkeypatch, variable, text)


@every_list
@pytest.mark.parametrize("text", ['["a"]', '["a", "b"]', "['a','b']", "[a,b]", "[]", '{"a": 1}', ' ["a"] '])
def test_json(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    """A list in the form of JSON or YAML is refused, with what to write instead."""
    assert "a list has commas between its paths" in refusal(monkeypatch, variable, text)


@every_path
@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://api/reports", "/reports"),
        ("HTTPS://api.example:8443/a/b?x=1", "/a/b"),
        ("ws://api", "/"),
        ("redis://gate/0#1", "/0"),
    ],
)
def test_url(monkeypatch: pytest.MonkeyPatch, variable: str, url: str, path: str) -> None:
    """A URL is refused; the error shows the path in it."""
    assert f"write its path only, {path})" in refusal(monkeypatch, variable, url)


@every_path
@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\tb", "a\x01b", "a\u2028b", "a\x85b"])
def test_line_end(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    """A line end, or another control character, in a path is refused: it may stand for a comma."""
    assert "no line end" in refusal(monkeypatch, variable, text)


@every_list
@pytest.mark.parametrize("text", ["a,b\n", "a,\n  b", "a\r\n,b"])
def test_line_end_beside_a_comma(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    """A line end beside a comma or at the end, as YAML files have, is no part of a path."""
    monkeypatch.setenv(f"FAST_PRIORITY_{variable}", text)
    assert getattr(Settings.load(), variable.lower()) == ("a", "b")


@every_path
@pytest.mark.parametrize(
    ("text", "remedy"), [("a?x=1", "%3F"), ("/a?", "%3F"), ("a#b", "%23"), ("/#", "%23"), ("a#b?c", "%23")]
)
def test_query_and_fragment(monkeypatch: pytest.MonkeyPatch, variable: str, text: str, remedy: str) -> None:
    """A path with a query or a fragment is refused; the error shows how to write such a character in a path."""
    assert f"write {remedy}" in refusal(monkeypatch, variable, text)


@pytest.mark.parametrize(("text", "sent"), [("a%3Fb", "/a%3Fb"), ("a%23b", "/a%23b"), ("%22a%22", "/%22a%22")])
def test_remedy(monkeypatch: pytest.MonkeyPatch, text: str, sent: str) -> None:
    """What the errors say to write matches the path that is meant."""
    monkeypatch.setenv("FAST_PRIORITY_PRIO_PATHS", text)
    assert Settings.load().rules.priority_of(RequestFacts(sent, "GET")) is Priority.LOW


@pytest.mark.parametrize("text", ["it's", "a[b]", "a(1)", "caf\u00e9", "a=1;b=2", "v1/x:run", "a+b", "~me"])
def test_usual_paths(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Characters that paths have cause neither an error nor a warning."""
    assert warnings_of(monkeypatch, "PRIO_PATHS", text) == []


@every_list
@pytest.mark.parametrize("text", ["reports/*", "^reports", "reports$", "a/{id}", "a/:id", "a/<id>", "a|b", r"a\d"])
def test_pattern(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    """A path that looks like a pattern is used as it is; a warning names the variable and what it matches."""
    (warning,) = warnings_of(monkeypatch, variable, f"orders,{text}")
    assert warning.startswith(f"FAST_PRIORITY_{variable}: {text!r} is not a pattern")
    matched = "every path that begins with" if variable == "PRIO_BASE_PATHS" else "only the path"
    assert warning.endswith(f"matches {matched} {text}")


@pytest.mark.parametrize("variable", SINGLE)
@pytest.mark.parametrize("text", ["/own/*", "^own", "/own$"])
def test_pattern_for_a_page(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    """A pattern for one of the gateway's own pages is warned of, too."""
    (warning,) = warnings_of(monkeypatch, variable, text)
    assert warning.startswith(f"FAST_PRIORITY_{variable}: {text!r} is not a pattern")


@every_list
@pytest.mark.parametrize("text", ["/a /b", "/a;/b", "/a; /b", "a b", "a b c"])
def test_other_separators(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    """Paths that something else than a comma separates are one path: a warning says so."""
    (warning,) = warnings_of(monkeypatch, variable, text)
    assert warning.startswith(f"FAST_PRIORITY_{variable}: {text!r} is one path")


def test_arguments_are_looked_at() -> None:
    """A value that is given as an argument is looked at in place of the variable's."""
    (warning,) = warnings_about_environment(prio_paths="a*")
    assert "'a*'" in warning
