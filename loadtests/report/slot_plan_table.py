"""A plan of slots, for the terminal."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Column, Table
from rich.text import Text

from loadtests.metrics import format_seconds
from loadtests.queueing import SlotOption, SlotPlan


def describe_plan(plan: SlotPlan) -> Iterator[RenderableType]:
    """Yield the number of slots, a table with a few more and fewer, and the assumptions."""
    bound = f"{plan.measure} wait of high at most {format_seconds(plan.bound_seconds)}"
    yield Text.assemble((f"{plan.slots} slots", "bold green"), f": {bound}, and low ones are served, too.")
    yield Text(
        f"For {plan.high_per_second:g} high and {plan.low_per_second:g} low requests a second, "
        f"each of {format_seconds(plan.service_seconds)}."
    )
    yield _table(plan)
    yield Text("Assumed:", style="bold")
    for assumption in plan.assumptions:
        yield Text(f"- {assumption}")


def _table(plan: SlotPlan) -> Table:
    heads = ("load", "high, mean", "high, p95", "high, p99", "low, mean")
    table = Table(Column("slots", justify="right"), *(Column(head, justify="right") for head in heads), Column(""))
    for option in plan.options:
        style = "bold green" if option == plan.best else None if option.fits else "dim"
        table.add_row(*_cells(option), "fits" if option.fits else "too few", style=style)
    return table


def _cells(option: SlotOption) -> Iterator[str]:
    yield str(option.slots)
    yield f"{option.load:.0%}"
    for seconds in (
        option.high_mean_seconds,
        option.high_p95_seconds,
        option.high_p99_seconds,
        option.low_mean_seconds,
    ):
        yield format_seconds(seconds)
