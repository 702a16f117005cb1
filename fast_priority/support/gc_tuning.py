"""Python's collector of cyclic garbage, set for a server, and the rule that makes this setting safe.

With Python's own setting the collector runs after every 700 new objects and visits everything that hundreds of waiting
requests hold. That takes a quarter of a gateway's time and finds nothing: the objects of a request are freed as soon as
nothing refers to them. So it is set to run rarely.

The rule: nothing that comes in floods (a request, a response, a connection, an error) may leave a reference cycle when
it is over. A cycle stays in memory until the collector runs, and a flood would fill the memory first. So

- a part refers weakly to the object that it belongs to (`weakref.proxy`);
- an object drops the timer, task or callback that refers to it as soon as that has ended;
- an error that has been handled drops its traceback (`errors.without_traces`): the traceback refers to the variables of
  the calls that the error passed, and one of them often refers to the error.

A comment that names this file marks each place where the rule needs such a step. The tests that use `without_collector`
of tests/harness.py check it.
"""

import gc

_NEW_OBJECTS = 200_000
_YOUNG_COLLECTIONS = 20
_MIDDLE_COLLECTIONS = 20


def collect_rarely() -> None:
    """Collect cyclic garbage only after 200,000 new objects, and never visit the objects that exist now.

    To be called once, when all modules are imported.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _YOUNG_COLLECTIONS, _MIDDLE_COLLECTIONS)
