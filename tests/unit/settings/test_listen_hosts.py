"""FAST_PRIORITY_HOST: which addresses it names, and what it says about others."""

import pytest

from fast_priority.errors import ConfigurationError
from fast_priority.settings import Settings


@pytest.mark.parametrize(
    ("written", "hosts"),
    [
        ("0.0.0.0", ("0.0.0.0",)),
        ("::", ("::",)),
        ("127.0.0.1,::1", ("127.0.0.1", "::1")),
        (" 0.0.0.0 , :: ,", ("0.0.0.0", "::")),
        ("[::1]", ("::1",)),
        ("::0:1,[0::1]", ("::1",)),
        ("fe80::1%eth0", ("fe80::1%eth0",)),
        ("LocalHost", ("localhost",)),
        ("gateway-1.example", ("gateway-1.example",)),
    ],
)
def test_hosts(written: str, hosts: tuple[str, ...]) -> None:
    """A list names each address or name once, IPv6 addresses with or without brackets."""
    assert Settings.load(host=written).listen_hosts == hosts


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        ("http://127.0.0.1", "write one address of this machine"),
        ("10.0.0.0/8", "write one address of this machine"),
        ("127.0.0.1:8000", "FAST_PRIORITY_PORT sets it"),
        ("localhost:8000", "FAST_PRIORITY_PORT sets it"),
        ("[::1]:8000", "FAST_PRIORITY_PORT sets it"),
        ("*", "write :: for all addresses"),
        ("256.0.0.1", "four decimal numbers"),
        ("127.1", "four decimal numbers"),
        ("0x7f000001", "four decimal numbers"),
        ("::g", "no IPv6 address"),
        ("[127.0.0.1]", "no IPv6 address"),
        ("127.0.0.1;::1", "no IPv6 address"),
        ("127.0.0.1 ::1", "no IPv6 address"),
        ("a b", "no address and no name"),
        ("-x", "no address and no name"),
        (",", "there is no address in it"),
    ],
)
def test_bad_hosts(written: str, remedy: str) -> None:
    """What cannot be listened on is an error that names the variable and the remedy."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(host=written)
    assert str(caught.value).startswith(f"FAST_PRIORITY_HOST={written!r} cannot be used (")
    assert remedy in str(caught.value)
