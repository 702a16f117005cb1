"""docs/reference/mock-target.md documents everything."""

import re
from pathlib import Path

import pytest

from mock_target import create_app
from mock_target.settings.behaviour import Fault
from mock_target.settings.knob import Knob
from mock_target.settings.knob_table import FAULTS, KNOBS, KNOBS_BY_NAME
from tests.unit.mock_target.mock_rig import client_of

DOCUMENT = (Path(__file__).parents[3] / "docs" / "reference" / "mock-target.md").read_text()


def row_of(knob: Knob) -> str:
    default = "" if knob.default is None else f"`{knob.default}`"
    per_request = f"`{knob.parameter}`, `{knob.field}`" if knob.per_request else ""
    return f"| `{knob.name}` | {knob.meaning} | {default} | `{knob.example}` | {per_request} |"


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.name)
def test_every_knob_has_its_row(knob: Knob) -> None:
    """Each row of the table of knobs is in the document, word for word."""
    assert row_of(knob) in DOCUMENT.splitlines()


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_has_its_row(fault: Fault) -> None:
    """Each fault is in the document with its meaning."""
    assert f"| `{fault}` | {FAULTS[fault]} |" in DOCUMENT.splitlines()


async def test_every_page_of_the_mock_is_there() -> None:
    """Each path that the mock serves itself is in the document."""
    async with client_of(create_app()) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    assert [path for path in paths if path not in DOCUMENT] == []


def test_the_document_names_no_knob_that_is_not_there() -> None:
    """The examples set only knobs that exist, to valid values."""
    examples = re.findall(r"`([a-z_]+)=([^`]*)`", DOCUMENT)
    assert len(examples) > 15
    for name, value in examples:
        KNOBS_BY_NAME[name].parse(value)
