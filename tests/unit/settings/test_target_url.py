"""The base URL of the target: one form for connections, Host and WebSockets, or an error with the remedy."""

from urllib.parse import urlsplit

import pytest

from fast_priority.errors import ConfigurationError
from fast_priority.settings import Settings
from fast_priority.settings.target_url import normal_base_url
from fast_priority.target import Target


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("http://api", "http://api"),
        ("HTTP://API:9000/V1/", "http://api:9000/V1"),
        ("https://Api.Example", "https://api.example"),
        ("http://LOCALHOST:9000", "http://localhost:9000"),
        ("http://api.example.", "http://api.example"),
        ("http://api.example.:8080/v1", "http://api.example:8080/v1"),
        ("https://API.svc.cluster.local./", "https://api.svc.cluster.local"),
        ("http://api:", "http://api"),
        ("http://api:080", "http://api:80"),
        ("http://my_service:9000", "http://my_service:9000"),
        ("http://127.0.0.1.:9000", "http://127.0.0.1:9000"),
        ("http://[::1]:9000", "http://[::1]:9000"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
        ("http://[FE80::0:1]:80", "http://[fe80::1]:80"),
        ("http://b\u00fccher.test", "http://xn--bcher-kva.test"),
        ("http://B\u00dcCHER.test:9000", "http://xn--bcher-kva.test:9000"),
        ("http://o\u0308l.test", "http://xn--l-0ga.test"),
        ("http://\u043f\u0440\u0438\u043c\u0435\u0440.test", "http://xn--e1afmkfd.test"),
        ("http://\u4f8b.test.", "http://xn--fsq.test"),
        ("http://XN--Bcher-KVA.test", "http://xn--bcher-kva.test"),
        ("http://api/\u00fcber", "http://api/%C3%BCber"),
        ("http://api/%C3%BCber/\u65e5", "http://api/%C3%BCber/%E6%97%A5"),
        ("http://api/a\u0301/", "http://api/a%CC%81"),
        ("http://api/%fc", "http://api/%fc"),
        ("http://api/a{b}|c^", "http://api/a%7Bb%7D%7Cc%5E"),
        ("http://api/[dim];v=1/a+b@c:d", "http://api/[dim];v=1/a+b@c:d"),
    ],
)
def test_normal_form(written: str, normal: str) -> None:
    """Scheme and host are in small letters and ASCII, the path is ASCII; the normal form does not change again."""
    assert (normal_base_url(written), normal_base_url(normal)) == (normal, normal)


@pytest.mark.parametrize(
    "host",
    [
        "127.1", "127.0.1", "2130706433", "0177.0.0.1", "017700000001", "0x7f.0.0.1", "0x7f000001", "127.0.0.01", "1",
        "256.0.0.1", "1.2.3.4.5", "127.0.0.0x1", "0x", "api.1",
    ],
)  # fmt: skip
def test_ambiguous_number(host: str) -> None:
    """A host that is a number, and not four decimal ones, is refused: programs read it differently."""
    with pytest.raises(ConfigurationError, match="write an IPv4 address as four decimal numbers"):
        Settings.load(target_base_url=f"http://{host}:9000")


@pytest.mark.parametrize(
    "host",
    [
        "fa\u00df.test",
        "\uff11\uff12\uff17.0.0.1",
        "a\u3002test",
        "\u03b2\u03cc\u03bb\u03bf\u03c2.test",
        "a\u200db.test",
    ],
)
def test_ambiguous_name(host: str) -> None:
    """A host whose A-labels differ between standards is refused."""
    with pytest.raises(ConfigurationError, match="write it as A-labels"):
        Settings.load(target_base_url=f"http://{host}")


@pytest.mark.parametrize(
    "url",
    [
        "http://a..b", "http://.", "http://api..", "http://a%41", "http://-a", "http://a-.test", "http://a|b", "http://a\\b",
        "http://" + "a" * 64, "http://" + "a." * 130 + "b", "http://[::1", "http://[v1.x]", "http://[api]", "http://api/a\\b",
        "http://[::1]x",
    ],
)  # fmt: skip
def test_no_host(url: str) -> None:
    """What is no name and no address is refused."""
    with pytest.raises(ConfigurationError, match="FAST_PRIORITY_TARGET_BASE_URL"):
        Settings.load(target_base_url=url)


@pytest.mark.parametrize(
    ("written", "line", "host"),
    [
        ("http://B\u00dcCHER.test.:9000/\u00fcber/", b"GET /%C3%BCber/x HTTP/1.1", b"xn--bcher-kva.test:9000"),
        ("https://API.Example.", b"GET /x HTTP/1.1", b"api.example"),
        ("http://[0:0::1]:9000/a", b"GET /a/x HTTP/1.1", b"[::1]:9000"),
    ],
)
def test_what_is_sent(written: str, line: bytes, host: bytes) -> None:
    """The request line and Host, of requests and of WebSockets, have the normal form; so has the address."""
    policy = Settings.load(target_base_url=written).target_policy()
    head = Target(policy).head("GET", b"/x", []).split(b"\r\n")
    assert head[0] == line
    assert b"host: " + host in [field.lower() for field in head]
    assert urlsplit(policy.base_url).netloc.encode() == host
