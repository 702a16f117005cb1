"""The name of a deployment in Via."""

import re

import pytest

from fast_priority.http.deployment import Deployment
from fast_priority.http.fields import is_token


def identity(number: int) -> bytes:
    return b"%016x" % number


def test_the_name() -> None:
    """The name is a token that begins with the pseudonym, and differs from one deployment to the next."""
    one, other = Deployment(), Deployment()
    assert re.fullmatch(rb"fast-priority-[0-9a-f]{16}", one.name)
    assert is_token(one.name)
    assert one.name != other.name
    assert one.names == (one.name,)


def test_adopting_an_identity() -> None:
    """What all agree on becomes the name, and the former name is still known."""
    deployment = Deployment()
    before = deployment.name
    assert deployment.adopt(identity(7))
    assert deployment.identity == identity(7)
    assert deployment.names == (b"fast-priority-0000000000000007", before)


def test_adopting_what_it_has() -> None:
    """To be told the same again changes nothing, so what was read with the old names stays remembered."""
    deployment = Deployment()
    names = deployment.names
    assert deployment.adopt(deployment.identity)
    assert deployment.names is names


def test_going_back() -> None:
    """A name that comes back is there once, and is the first."""
    deployment = Deployment()
    for number in (1, 2, 1):
        deployment.adopt(identity(number))
    assert [name[-1:] for name in deployment.names[:2]] == [b"1", b"2"]
    assert len(deployment.names) == len(set(deployment.names)) == 3


def test_few_names_are_kept() -> None:
    """However often it changes, it knows the last eight, the present one first."""
    deployment = Deployment()
    for number in range(100):
        deployment.adopt(identity(number))
    assert [int(name.rpartition(b"-")[2], 16) for name in deployment.names] == list(range(99, 91, -1))


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"0123456789abcde",
        b"0123456789abcdef0",
        b"0123456789ABCDEF",
        b"0123456789abcdeg",
        b"0123456789abcde\n",
        b"0123456789abcdef\n",
        b"x\r\nx-a: b\r\n\r\n12",
        b"\xff" * 16,
        b"x" * 100_000,
    ],
)
def test_what_is_no_identity(written: bytes) -> None:
    """What is not 16 hexadecimal digits in lower case is refused, and changes nothing."""
    deployment = Deployment()
    names = deployment.names
    assert not deployment.adopt(written)
    assert deployment.names is names
