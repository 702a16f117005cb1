"""The order in which the files of tests begin."""

import pytest

from tests.documents import REPOSITORY
from tests.file_order import LONGEST_FILES, in_order

_FILES = [str(file.relative_to(REPOSITORY / "tests")) for file in sorted((REPOSITORY / "tests").rglob("test_*.py"))]


def test_each_long_file_exists() -> None:
    """A file that was renamed or removed is no longer in the list."""
    assert set(LONGEST_FILES) <= set(_FILES)


@pytest.mark.parametrize("files", [_FILES, _FILES[:1], [*LONGEST_FILES], ["unit/test_a.py", "unit/test_b.py"], []])
def test_each_file_has_one_place(files: list[str]) -> None:
    """No file is left out, or comes twice, whichever files are run."""
    assert sorted(in_order([*files, *files])) == sorted(files)


def test_long_files_begin_before_the_others_and_unit_tests_beside_them() -> None:
    """The longest files come first, unit tests between the other long ones, and short files at the end."""
    order = in_order(_FILES)
    units = [at for at, file in enumerate(order) if file.startswith("unit/")]
    longs = [order.index(file) for file in LONGEST_FILES]
    assert longs[:6] == [0, 1, 2, 3, 4, 5]
    assert longs == sorted(longs)
    assert 6 < units[0] < longs[-1] < len(order) - 50
