"""The documents tell of everything there is."""

import re
from pathlib import Path

import pytest

from fast_priority import errors
from fast_priority.broker.keys import KEY_TABLE, KeyRow
from fast_priority.settings import PREFIX, Settings

REPOSITORY = Path(__file__).parents[2]
ARCHITECTURE = (REPOSITORY / "docs" / "architecture.md").read_text()
README = (REPOSITORY / "README.md").read_text()
SECURITY = (REPOSITORY / "SECURITY.md").read_text()


@pytest.mark.parametrize("row", KEY_TABLE, ids=lambda row: row.pattern)
def test_the_architecture_lists_every_key(row: KeyRow) -> None:
    """Each row of the key table stands in docs/architecture.md, word for word."""
    assert f"| `{row.pattern}` | {row.kind} | {row.holds} | {row.written_by} | {row.gone} |" in ARCHITECTURE


@pytest.mark.parametrize("slug", sorted(errors._BY_SLUG))
def test_the_architecture_lists_every_error(slug: str) -> None:
    """Each error that a client can be told stands in docs/architecture.md with its status."""
    assert f"| {errors._BY_SLUG[slug].status} | `{slug}` |" in ARCHITECTURE


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_the_readme_lists_every_setting(name: str) -> None:
    """Each setting stands in the README's table, by its whole name or by its last word beside its kin."""
    whole, last = f"`{PREFIX}{name.upper()}`", f"`_{name.upper().rsplit('_', 1)[-1]}`"
    kin = f"`{PREFIX}{name.upper().rsplit('_', 1)[0]}"
    own_place = f"`_{name.upper()}`"
    assert whole in README or own_place in README or (last in README and kin in README)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\btest_\w+(?:\.py)?", SECURITY))))
def test_what_cannot_be_done_is_tested(name: str) -> None:
    """Each test that SECURITY.md names is there."""
    modules = list((REPOSITORY / "tests").rglob("test_*.py"))
    if name.endswith(".py"):
        assert name in [module.name for module in modules]
    else:
        assert any(f"def {name}(" in module.read_text() for module in modules)
