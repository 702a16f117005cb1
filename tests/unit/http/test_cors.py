"""The fields that let pages of listed origins read the gateway's own errors."""

import pytest

from fast_priority.errors import ConfigurationError, QueueFull
from fast_priority.http.cors import NO_ORIGINS, AllowedOrigins
from fast_priority.http.problem import closing_problem, problem_reply
from fast_priority.settings import Settings

APP = b"https://app.example"
VARY = (b"vary", b"Origin")


def echoed(*listed: str, sent: bytes) -> bool:
    """Return whether this origin is echoed; with it come all the other fields, without it none but Vary."""
    fields = AllowedOrigins.of(listed).fields_for([(b"host", b"x"), (b"origin", sent)])
    if fields == [VARY]:
        return False
    assert dict(fields) == {
        b"access-control-allow-origin": sent,
        b"access-control-allow-credentials": b"true",
        b"access-control-expose-headers": b"Retry-After",
        b"vary": b"Origin",
    }
    return True


@pytest.mark.parametrize(
    ("listed", "sent"),
    [
        ("https://app.example", b"https://app.example"),
        ("HTTPS://App.Example", b"https://app.example"),
        ("https://app.example:443", b"https://app.example"),
        ("http://localhost:5173", b"http://localhost:5173"),
        ("http://127.0.0.1", b"http://127.0.0.1"),
        ("http://[::0:1]:8080", b"http://[::1]:8080"),
        ("capacitor://localhost", b"capacitor://localhost"),
        ("https://xn--bcher-kva.example", b"https://xn--bcher-kva.example"),
    ],
)
def test_a_listed_origin(listed: str, sent: bytes) -> None:
    """A listed origin is echoed as it was sent: scheme and host in any case, the default port written or not."""
    assert echoed("https://other.example", listed, sent=sent)


@pytest.mark.parametrize(
    "sent",
    [
        b"http://app.example",
        b"https://app.example:8443",
        b"https://app.example.evil.example",
        b"https://evil-app.example",
        b"https://sub.app.example",
        b"https://app.example/",
        b"https://app.example/path",
        b"https://user@app.example",
        b"https://app.example https://app.example",
        b"https://app.example, https://app.example",
        b"https://app.example:0443x",
        b"https://app.example:99999",
        b"https://app.example\xe9",
        b"null",
        b"*",
        b"",
    ],
)
def test_an_origin_that_is_not_listed(sent: bytes) -> None:
    """Any other origin is not echoed, however near it is to a listed one."""
    assert not echoed("https://app.example", sent=sent)


def test_two_origins() -> None:
    """A request with two Origin fields gets none of them back."""
    sent = [(b"origin", APP), (b"origin", APP)]
    assert AllowedOrigins.of(["https://app.example"]).fields_for(sent) == [VARY]


def test_no_origin() -> None:
    """Without an Origin the error still varies with it, so that a cache does not give it to a page."""
    assert AllowedOrigins.of(["https://app.example"]).fields_for([]) == [VARY]


def test_none_listed() -> None:
    """Without the setting, errors get no field."""
    assert NO_ORIGINS.fields_for([(b"origin", APP)]) == []
    assert NO_ORIGINS.fields_for_head(b"GET / HTTP/1.1\r\nOrigin: https://app.example\r\n\r\n") == []


@pytest.mark.parametrize(
    ("received", "is_echoed"),
    [
        (b"GET / HTTP/1.1\r\nOrigin: https://app.example\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\norigin:https://app.example\t\r\nHost: x\r\n", True),
        (b"GET / HTTP/1.1\r\nOrigin: https://app.example\r\n", True),
        (b"GET / HTTP/1.1\r\nOrigin: https://app.example", False),
        (b"POST / HTTP/1.1\r\nHost: x\r\n\r\nOrigin: https://app.example\r\n\r\n", False),
        (b"Origin: https://app.example\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nX-Origin: https://app.example\r\n\r\n", False),
        (b"\x16\x03\x01", False),
    ],
)
def test_a_head_that_was_not_parsed(received: bytes, is_echoed: bool) -> None:
    """Of a request that was not parsed, only a whole Origin line of its head counts."""
    fields = AllowedOrigins.of(["https://app.example"]).fields_for_head(received)
    assert ((b"access-control-allow-origin", APP) in fields) is is_echoed
    assert VARY in fields


def test_in_responses() -> None:
    """The fields are part of an error's response, in both its forms."""
    error = QueueFull("full")
    fields = AllowedOrigins.of(["https://app.example"]).fields_for([(b"origin", APP)])
    assert set(fields) <= set(problem_reply(error, fields).fields)
    assert b"\r\naccess-control-allow-origin: https://app.example\r\n" in closing_problem(error, fields)


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        ("*", "write each origin"),
        ("https://a.example,*", "write each origin"),
        ("null", "write that of your page"),
        ("NULL", "write that of your page"),
        ("https://a.example/", "write https://a.example"),
        ("https://a.example/app", "write https://a.example"),
        ("http://a.example:8080?x=1", "write http://a.example:8080"),
        ("a.example", "write https://a.example"),
        ("a.example:8080/x", "write https://a.example:8080"),
        ("https://bücher.example", "xn--"),
        ("https://*.example", "is no origin"),
        ("https://user@a.example", "is no origin"),
        ("https://a.example:0", "is no origin"),
        ("https://a.example:65536", "is no origin"),
        ("https://[::g]", "is no origin"),
        ("https://", "is no origin"),
    ],
)
def test_bad_values(written: str, remedy: str) -> None:
    """What is no origin is one line with the variable, and what to write instead."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(cors_origins=written)
    error = str(caught.value)
    assert error.startswith("FAST_PRIORITY_CORS_ORIGINS=")
    assert remedy in error
    assert "\n" not in error
