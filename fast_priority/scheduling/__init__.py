"""Which request goes first, and when a refused one should come again. Pure: no input or output, no clock.

- `priority`: the levels of a request, by name. `level_table`: all levels of a gateway, with the limits of each.
- `rules`: from a path to a level, as the settings name the paths.
- `rules_in_words`: the rules for a reader.
- `path_readings`: all paths that a target may take a path for. `path_forms`: the forms in which paths are compared.
- `policy`: rules and keys, from files; not imported from here.
- `drain_rate`: how fast the queues are emptied, and the seconds of Retry-After.
"""

from fast_priority.scheduling.drain_rate import DrainRate, retry_after_seconds
from fast_priority.scheduling.path_forms import PathCase
from fast_priority.scheduling.path_readings import climbs
from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import TARGET_DOCUMENTATION_PATHS, Listing, RequestFacts, Rules

__all__ = [
    "TARGET_DOCUMENTATION_PATHS",
    "DrainRate",
    "Listing",
    "PathCase",
    "Priority",
    "RequestFacts",
    "Rules",
    "climbs",
    "retry_after_seconds",
]
