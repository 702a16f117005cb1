"""Spellings of paths: a chosen list, and as many random ones as a caller wants."""

from random import Random

# They use `reports`, `exact` and `health`, the names in tests/path_servers.py.
CHOSEN = [
    "/reports/1", "/reports", "/exact", "/health", "/x/1", "/", "//", "/x//1", "/%72eports/1", "/./reports/1",
    "/x/../reports/1", "/orders/..%2freports/1", "/x/%2e%2e/reports/1", "/%2e/reports/1", "/..%2freports/1",
    "/../reports/1", "//reports/1", "///reports/1", "/x//../reports/1", "/x/..//reports/1", "/reports//../1",
    "/reports/..%2f1", "/x/..;/reports/1", "/;/reports/1", "/reports;v=1/1", "/reports/1;v=2",
    "/x/..%3b/reports/1", "/x\\..\\reports/1", "/\\reports/1", "/x/..%5creports/1", "/reports%00",
    "/reports/1%00", "/exact%00.html", "/exact%0a", "/exact%0A", "/exact%0d%0a", "/exact%20", "/exact%09",
    "/exact/.", "/exact/x/..", "/exact//", "/exact%2f", "/exact;", "/exact;v=1", "/exact%3fx", "/exact%23x",
    "/exact%3b", "/%65xact", "/exac%74", "/x/..%2fexact", "/health%0a", "/health/.", "/x/../health",
    "/%68ealth", "/health%2f", "/health%2f..%2freports/1", "/health/../reports/1", "/health%00", "/health%3f",
    "/health%23", "/health;x", "/health/..;/reports/1", "//health", "//x/reports/1", "/%2572eports/1",
    "/x/%252e%252e/reports/1", "/x/..%252freports/1", "/%c0%ae%c0%ae/reports/1", "/x/..%c0%afreports/1",
    "/%u0072eports/1", "/reports%ff", "/%ff/../reports/1", "/caf%C3%A9/../reports/1", "/%ef%bc%8freports/1",
    "/reports%", "/reports%zz", "/%/../reports/1", "/%zz/../reports/1", "/reports+1", "/+/../reports/1",
    "/REPORTS/1", "/reports/%2e%2e", "/reports/%2e%2e%2f%2e%2e%2fx", "/reports/./..", "/reports/..",
    "/reports/../reports", "/x/../x/../reports", "/reports?x", "/exact?", "/x?/../reports/1",
    "/health?/../reports", "/...//reports/1", "/.../reports/1", "/..../../reports/1",
]  # fmt: skip
_PIECES = [
    "reports", "exact", "health", "x", "1", "/", "/", "/", ".", "..", "/../", "/./", "//", "%2e", "%2E%2e",
    "%2f", "%2F", "%5c", "\\", ";", ";a=1", "%3b", "%00", "%0a", "%0d", "%20", "%09", "%3f", "%23", "%25", "%",
    "%72", "%65", "%68", "+", "%c0%ae", "%c0%af", "%ff", "%C3%A9", "%u002f", "@", ":", "|", "~", "..;/",
    "..%2f", "%2e%2e/", "x/../", "x%2f..%2f",
]  # fmt: skip
_MOST_PIECES = 9


def random_path(random: Random) -> str:
    """Return a random path: a chosen one with a few changes, or random pieces."""
    if random.random() < 0.5:
        return "/" + "".join(random.choices(_PIECES, k=random.randint(1, _MOST_PIECES)))
    path = random.choice(CHOSEN)
    for _ in range(random.randint(1, 3)):
        path = _changed(random, path)
    return path if path.startswith("/") else "/" + path


def _changed(random: Random, path: str) -> str:
    at = random.randrange(len(path) + 1)
    way = random.randrange(4)
    if way == 0:
        return path[:at] + random.choice(_PIECES) + path[at:]
    if way == 1:
        return path[:at] + path[at + random.randint(1, 3) :]
    if way == 2 and at < len(path):
        return path[:at] + f"%{ord(path[at]):02{random.choice('xX')}}" + path[at + 1 :]
    return path[:at] + random.choice(CHOSEN)
