"""Tables in Markdown that are printed row by row, while a proof runs."""

from collections.abc import Iterator


def table_head(*heads: str) -> Iterator[str]:
    """Return the first two lines of a table."""
    yield table_row(*heads)
    yield table_row(*["---"] * len(heads))


def table_row(*cells: object) -> str:
    """Return one line of a table."""
    return f"| {' | '.join(map(str, cells))} |"
