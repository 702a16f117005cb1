"""The two shapes of our queue that are compared where slots are the limit, as the findings name them."""

from benchmarks.systems import QUEUE, QUEUE_ON_ALL_CORES

SHAPES = {QUEUE: "one worker process", QUEUE_ON_ALL_CORES: "a worker process for each core"}
"""The bounds are for the second, as an operator with experience sets it up; the first is informational."""
