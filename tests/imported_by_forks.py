"""Imports what the processes of a stack import, once for all of them; see forked_processes.py."""

import gc
import importlib

gc.disable()  # almost all that is imported stays

for _name in (
    "fast_priority.app",
    "fast_priority.cli",
    "fast_priority.gateway",
    "fast_priority.observability",
    "fast_priority.server",
    "fast_priority.worker",
    "loadtests.cli",
    "mock_target.cli",
    "rq.cli",
    # What these import only when they run.
    "encodings.idna",
    "multiprocessing.popen_fork",
    "pydantic.v1",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.websockets.wsproto_impl",
):
    importlib.import_module(_name)

# A collection in a fork would copy the memory of all that was imported.
gc.freeze()
gc.enable()
