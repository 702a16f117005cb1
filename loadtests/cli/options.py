"""Options that several commands have."""

from typing import Annotated

import typer

Tolerance = Annotated[
    float,
    typer.Option(
        "--tolerance-seconds",
        min=0.001,
        help="Seconds that the transit to the queue and from it may take; shorter differences are ignored.",
    ),
]
