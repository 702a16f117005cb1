"""Via: whether a message has passed this deployment before, and the name of the deployment."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fast_priority.http.fields import is_token
from fast_priority.http.message import Fields
from fast_priority.http.via import Deployment, passed_by_one_of

US = b"fast-priority-0123456789abcdef"
BEFORE = b"fast-priority-fedcba9876543210"
NAMES = (US, BEFORE)


def via(*values: bytes) -> Fields:
    return [(b"host", b"x"), *((b"via", value) for value in values)]


@pytest.mark.parametrize(
    "values",
    [
        [b"1.1 " + US],
        [b"1.0 " + US],
        [b"HTTP/1.1 " + US],
        [b"1.1\t" + US],
        [b"1.1   " + US + b"  "],
        [b"1.1 " + BEFORE],
        [b"1.1 " + US.upper()],
        [b"1.1 " + US.title()],
        [b"1.1 " + US + b":8000"],
        [b"1.1 " + US + b" (comment)"],
        [b"1.1 " + US + b" (a (nested) one, with a comma)"],
        [b"1.1 nginx, 1.1 " + US],
        [b"1.1 nginx,1.1 " + US + b",1.1 haproxy"],
        [b"1.1 nginx (a, b), 1.1 " + US],
        [b"1.1 nginx (a \\) b), 1.1 " + US],
        [b"1.1 nginx", b"1.1 " + US, b"1.1 haproxy"],
        [b", ,1.1 " + US + b", "],
        [b"1.1 nginx (never closed, 1.1 " + US],
        [b"1.1 nginx ), 1.1 " + US],
        [b"1.1 nginx \\, 1.1 " + US],
        [b"1.1 \xff, 1.1 " + US],
        [b"1.1 " + US + b" what should not be here"],
    ],
)
def test_our_name_is_found(values: list[bytes]) -> None:
    """A name of ours is found in every spelling that RFC 9110, section 7.6.3, allows, and in malformed values."""
    assert passed_by_one_of(NAMES, via(*values))


def test_the_name_of_the_field_is_compared_without_case() -> None:
    """The field may be written `VIA`."""
    assert passed_by_one_of(NAMES, [(b"VIA", b"1.1 " + US)])


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b""],
        [b"1.1 fast-priority"],
        [b"1.1 " + US[:-1]],
        [b"1.1 " + US + b"0"],
        [b"1.1 x" + US],
        [b"1.1 " + US + b".example"],
        [b"1.1 fast-priority-1111111111111111"],
        [b"1.1 nginx (1.1 " + US + b")"],
        [b"1.1 nginx (behind (1.1 " + US + b", 1.1 " + US + b"))"],
        [b"1.1 nginx (a \\( b, 1.1 " + US + b")"],
        [b"1.1 nginx " + US],
        [US],
        [US + b" nginx"],
        [b"1.1, " + US],
    ],
)
def test_other_names_are_not_taken_for_ours(values: list[bytes]) -> None:
    """Another name, a part of our name, and our name in a comment or in another place do not count."""
    assert not passed_by_one_of(NAMES, via(*values))


def test_other_fields_are_not_read() -> None:
    """Only Via counts."""
    assert not passed_by_one_of(NAMES, [(b"x-via", b"1.1 " + US), (b"forwarded", b"1.1 " + US)])


@given(st.lists(st.sampled_from([b"(", b")", b",", b"\\", b" ", b"1.1", US, b"x", b"\xff", b":"]), max_size=30))
def test_no_value_fails(pieces: list[bytes]) -> None:
    """No value raises an error."""
    passed_by_one_of(NAMES, via(b"".join(pieces)))


@given(st.lists(st.sampled_from([b"(", b")", b"\\", b" ", b"1.1 x", b"\xff", b":"]), max_size=30))
def test_no_comment_hides_our_name_behind_it(pieces: list[bytes]) -> None:
    """A client cannot hide a loop: the gateway's name counts, also if a proxy joins all values in one line."""
    assert passed_by_one_of(NAMES, via(b"".join(pieces) + b", 1.1 " + US))


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
    """An adopted identity becomes the name, and the former name is still known."""
    deployment = Deployment()
    before = deployment.name
    assert deployment.adopt(identity(7))
    assert deployment.identity == identity(7)
    assert deployment.names == (b"fast-priority-0000000000000007", before)


def test_adopting_the_same_identity() -> None:
    """Adopting the same identity again changes nothing: what was memoized with the names stays valid."""
    deployment = Deployment()
    names = deployment.names
    assert deployment.adopt(deployment.identity)
    assert deployment.names is names


def test_adopting_a_former_identity() -> None:
    """A former name that is adopted again is listed once, as the first."""
    deployment = Deployment()
    for number in (1, 2, 1):
        deployment.adopt(identity(number))
    assert [name[-1:] for name in deployment.names[:2]] == [b"1", b"2"]
    assert len(deployment.names) == len(set(deployment.names)) == 3


def test_few_names_are_kept() -> None:
    """The last eight names are kept, the present one first."""
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
def test_invalid_identities(written: bytes) -> None:
    """An identity that is not 16 hexadecimal digits in lower case is refused, and changes nothing."""
    deployment = Deployment()
    names = deployment.names
    assert not deployment.adopt(written)
    assert deployment.names is names
