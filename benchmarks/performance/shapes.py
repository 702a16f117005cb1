"""The shapes of our queue that are compared, as the findings name them."""

from benchmarks.systems import QUEUE, QUEUE_ON_ALL_CORES, WORKERS, WORKERS_ON_ALL_CORES

SHAPES = {
    QUEUE_ON_ALL_CORES: "slots in a gateway process for each core",
    QUEUE: "slots in one gateway process",
    WORKERS_ON_ALL_CORES: "a worker process for each core",
    WORKERS: "one worker process",
}
