"""Options that several commands have."""

from typing import Annotated

import typer

Tolerance = Annotated[
    float,
    typer.Option(
        "--tolerance-seconds",
        min=0.001,
        help="What the ways to the queue and from it may take; below it, no inversion.",
    ),
]
