"""The commands of `fast-priority loadtest` put together."""

import typer

from loadtests.cli.check_command import check
from loadtests.cli.judge_command import judge
from loadtests.cli.plan_command import plan
from loadtests.cli.ui_command import ui

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


@app.callback()
def loadtest() -> None:
    """Prove that high-priority requests overtake low ones, through this gateway or any other.

    [bold]check[/] runs scenarios and judges them, [bold]ui[/] opens locust's page, [bold]judge[/] judges your own
    records, [bold]plan[/] computes how many slots a load needs.

    Exit codes: 0 proved, 1 violated, 2 could not run, 3 proved nothing.
    """


app.command()(check)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(ui)
app.command()(judge)
app.command()(plan)


def main() -> None:
    """Run the command line."""
    app(prog_name="python -m loadtests")
