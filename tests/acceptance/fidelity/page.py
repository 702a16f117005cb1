"""docs/evidence/fidelity.md, made of the cases and their results."""

from collections.abc import Mapping, Sequence

from tests.acceptance.fidelity.case import Group, Verdict

Column = Mapping[str, Verdict] | str
"""For one contender: the verdict on each case by its key; or why it was not tried."""

_INTRODUCTION = """\
# Fidelity

A client should not be able to notice the gateway between it and the target, except by the fields that name it and its
request (`Via`, `X-Request-ID`), by `Server-Timing`, and by the [known limits](../reference/known-limits.md). Each row
here is one attempt to notice it: exact bytes from a raw client, exact bytes from a raw target, and a judgement of what
arrived on both sides. `make fidelity` tries them all and writes this page; `make test` fails where our column is wrong.

✓ is right; words after it name which of two right ways was taken. Words without it are what was seen instead.
HAProxy and nginx stand here as plain reverse proxies, each with the few lines in
[contenders.py](../../tests/acceptance/fidelity/contenders.py); both can be configured to do more. No test judges them.
Some rows ask for what this gateway chose to promise, where the RFCs leave a choice.
"""


def key_of(group: Group, name: str) -> str:
    """Return the key of a case, which is unique among all."""
    return f"{group.title}: {name}"


def render(groups: Sequence[Group], columns: Mapping[str, Column]) -> str:
    """Return the page: a table for each group, with a row for each case and a column for each contender."""
    parts = [_INTRODUCTION, _missing(columns), _summary(groups, columns), *(_table(group, columns) for group in groups)]
    return "\n".join(part for part in parts if part)


def row_start(name: str) -> str:
    """Return the first characters of the row of a case."""
    return f"| {_cell(name)} |"


def _missing(columns: Mapping[str, Column]) -> str:
    return "".join(f"{name} was not tried: {why}.\n" for name, why in columns.items() if isinstance(why, str))


def _summary(groups: Sequence[Group], columns: Mapping[str, Column]) -> str:
    lines = [_head("as it should be", columns)]
    for group in groups:
        keys = [key_of(group, case.name) for case in group.cases]
        counts = (
            "" if isinstance(column, str) else f"{sum(column[key].fine for key in keys)} of {len(keys)}"
            for column in columns.values()
        )
        lines.append(_row(group.title, *counts))
    return "".join(lines)


def _table(group: Group, columns: Mapping[str, Column]) -> str:
    rows = (_row(case.name, *_verdicts(key_of(group, case.name), columns)) for case in group.cases)
    return f"## {group.title}\n\n{group.about}\n\n{_head('case', columns)}{''.join(rows)}"


def _verdicts(key: str, columns: Mapping[str, Column]) -> list[str]:
    return ["" if isinstance(column, str) else _told(column[key]) for column in columns.values()]


def _told(verdict: Verdict) -> str:
    return f"✓ {verdict.words}".strip() if verdict.fine else verdict.words


def _head(first: str, columns: Mapping[str, Column]) -> str:
    return _row(first, *columns) + "|" + "---|" * (len(columns) + 1) + "\n"


def _row(*cells: str) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;") if "`" not in text else text.replace("|", "\\|")
