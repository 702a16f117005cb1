"""The wire version, as it stands in records."""

import pytest

from fast_priority.protocol.wire_version import WIRE_VERSION, version_in


@pytest.mark.parametrize(("written", "version"), [(b"1", 1), (b"2", 2), (b"127", 127), (b"9999", 9999)])
def test_a_version_is_read(written: bytes, version: int) -> None:
    """A number is the version."""
    assert version_in(written) == version


@pytest.mark.parametrize("written", [None, b"", b"0", b"-2", b"2.0", b"two", b"\xc2\xb2", b"9" * 5000])
def test_what_is_no_version(written: bytes | None) -> None:
    """What earlier releases have not written, and what cannot be a version, is version 1."""
    assert version_in(written) == 1


def test_a_version_fits_into_one_byte() -> None:
    """The version of this release is one byte in a frame, as the scripts and the encoder write it."""
    assert 1 <= WIRE_VERSION <= 127
