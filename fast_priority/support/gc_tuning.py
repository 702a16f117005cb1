"""Python's collector of cyclic garbage, told what it works for: a server, which makes next to none.

Left as it is, it looks, after every 700 new objects, at all that hundreds of waiting requests hold. That is a quarter
of a gateway's work, and finds nothing: what a request makes is freed as soon as nobody refers to it.
"""

import gc

_NEW_OBJECTS = 200_000
_YOUNG_COLLECTIONS = 20
_MIDDLE_COLLECTIONS = 20


def collect_rarely() -> None:
    """Collect cyclic garbage after 200,000 new objects, and never look again at what is there now.

    To be called once all is imported. Cycles still go, only later: what may come in floods should make none.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _YOUNG_COLLECTIONS, _MIDDLE_COLLECTIONS)
