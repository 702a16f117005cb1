"""How a path becomes a priority."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fast_priority.scheduling.path_forms import PathCase
from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import TARGET_DOCUMENTATION_PATHS, Listing, RequestFacts, Rules

# Visible ASCII of which a path has one reading only: test_path_readings.py has the others.
segments = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="/?#%;+\\"), min_size=1
).filter(lambda segment: segment not in (".", ".."))
paths = st.lists(segments, min_size=1, max_size=3).map("/".join)
slashes = st.sampled_from(["", "/", "//"])
listings = st.sampled_from(Listing)

NAMED = {Listing.LISTED: Priority.HIGH, Listing.UNLISTED: Priority.LOW}
OTHERS = {Listing.LISTED: Priority.LOW, Listing.UNLISTED: Priority.HIGH}


def is_documentation(path: str) -> bool:
    return path.strip("/") in {own.strip("/") for own in TARGET_DOCUMENTATION_PATHS}


@given(listings, paths)
def test_named_path(listing: Listing, path: str) -> None:
    """A path that is named goes where the listing sends named paths."""
    assume(not is_documentation(path))
    assert Rules.of(listing, paths=[path]).priority_of(RequestFacts(f"/{path}", "GET")) is NAMED[listing]


@given(listings, st.lists(paths), paths)
def test_other_path(listing: Listing, named: list[str], path: str) -> None:
    """A path that is not named goes where the listing sends the others, however near the named ones are."""
    assume(path not in named and not is_documentation(path))
    assert Rules.of(listing, paths=named).priority_of(RequestFacts(f"/{path}", "GET")) is OTHERS[listing]


@given(listings, paths, st.text(alphabet="ab/", min_size=1))
def test_exact_match(listing: Listing, path: str, more: str) -> None:
    """A path that only starts with a named one is not named."""
    longer = (path + more).strip("/")
    assume(longer != path and not is_documentation(longer))
    assert Rules.of(listing, paths=[path]).priority_of(RequestFacts(f"/{longer}", "GET")) is OTHERS[listing]


@given(listings, paths, st.text(alphabet="ab/", max_size=5))
def test_base_path(listing: Listing, base: str, more: str) -> None:
    """Every path that starts with a named beginning is named, the beginning itself too."""
    assume(not is_documentation(base + more))
    assert Rules.of(listing, base_paths=[base]).priority_of(RequestFacts(f"/{base}{more}", "GET")) is NAMED[listing]


@given(listings, paths, slashes, st.sampled_from(["/", "//"]), st.sampled_from(["", "/", "/a", "/a/b/"]))
def test_segment(listing: Listing, base: str, front: str, back: str, more: str) -> None:
    """A base path with a slash at its end matches itself, and the paths below it."""
    assume(not is_documentation(base))
    rules = Rules.of(listing, base_paths=[f"{front}{base}{back}"])
    assert rules.priority_of(RequestFacts(f"/{base}{more}", "GET")) is NAMED[listing]


@given(
    listings, paths, st.sampled_from(["/", "//"]), st.text(alphabet="ab-_.", min_size=1), st.sampled_from(["", "/x"])
)
def test_segment_ends(listing: Listing, base: str, back: str, more: str, below: str) -> None:
    """A base path with a slash at its end does not match a path whose segment is longer."""
    path = f"{base}{more}{below}"
    assume(not is_documentation(path))
    assert Rules.of(listing, base_paths=[base + back]).priority_of(RequestFacts(f"/{path}", "GET")) is OTHERS[listing]


@pytest.mark.parametrize(
    "sent",
    ["/%72eports", "/x/../reports", "/reports;a=1", "/x/..%2freports/7", "/reports%2f7", "//reports/.", "/reports%00x"],
)
def test_segment_in_other_readings(sent: str) -> None:
    """With `unlisted`, a path that a target may read as a segment, or as one below it, is low."""
    assert Rules.of(base_paths=["reports/"]).priority_of(RequestFacts(sent, "GET")) is Priority.LOW


@pytest.mark.parametrize("sent", ["/reports-old", "/reports.json", "/%72eports_old/7", "/reports2"])
def test_segment_beside_a_beginning(sent: str) -> None:
    """A base path without the slash at its end still counts letter by letter, also if the segment is named too."""
    assert Rules.of(base_paths=["reports/"]).priority_of(RequestFacts(sent, "GET")) is Priority.HIGH
    assert Rules.of(base_paths=["reports/", "reports"]).priority_of(RequestFacts(sent, "GET")) is Priority.LOW


@pytest.mark.parametrize("root", ["/", "//", ""])
def test_root_as_a_base_path(root: str) -> None:
    """Every path is below the root."""
    assert Rules.of(base_paths=[root]).priority_of(RequestFacts("/orders", "GET")) is Priority.LOW


@pytest.mark.parametrize(
    ("sent", "expected"),
    [("/reports/7", Priority.LOW), ("/reports/", Priority.LOW), ("/reports", Priority.HIGH)],
)
def test_base_path_with_slashes_that_count(sent: str, expected: Priority) -> None:
    """With normalisation off, a base path with a slash at its end is compared letter by letter."""
    rules = Rules.of(base_paths=["reports/"], ignore_outer_slashes=False)
    assert rules.priority_of(RequestFacts(sent, "GET")) is expected


@given(listings, paths, paths)
def test_base_path_is_a_beginning(listing: Listing, base: str, front: str) -> None:
    """A named beginning that stands further on in a path names nothing."""
    path = f"{front}/{base}"
    assume(not path.startswith(base) and not is_documentation(path))
    assert Rules.of(listing, base_paths=[base]).priority_of(RequestFacts(f"/{path}", "GET")) is OTHERS[listing]


@given(listings, paths)
def test_pass_through_wins(listing: Listing, path: str) -> None:
    """A path that is passed through skips the queue, even if it is named as well."""
    rules = Rules.of(listing, paths=[path], base_paths=[path], pass_through=[path])
    assert rules.priority_of(RequestFacts(f"/{path}", "GET")) is None


@given(paths, st.text(alphabet="ab/", min_size=1))
def test_pass_through_is_exact(path: str, more: str) -> None:
    """A path that only starts with one that is passed through is queued."""
    longer = (path + more).strip("/")
    assume(longer != path and not is_documentation(longer))
    assert Rules.of(pass_through=[path]).priority_of(RequestFacts(f"/{longer}", "GET")) is not None


@given(listings, paths, slashes, slashes, slashes, slashes)
def test_outer_slashes(listing: Listing, path: str, front: str, back: str, sent_front: str, sent_back: str) -> None:
    """Slashes at either end mean nothing, neither as written in the settings nor as sent, but for test_segment."""
    written, sent = f"{front}{path}{back}", f"/{sent_front}{path}{sent_back}"
    for name in ("paths", "base_paths", "pass_through"):
        as_written = Rules.of(listing, **{name: [written]})  # type: ignore[arg-type]
        bare = Rules.of(listing, **{name: [path]})  # type: ignore[arg-type]
        assert as_written.priority_of(RequestFacts(sent, "GET")) is bare.priority_of(RequestFacts(f"/{path}", "GET"))


@given(listings, st.lists(paths), st.lists(paths), st.sampled_from(TARGET_DOCUMENTATION_PATHS), st.booleans())
def test_documentation(listing: Listing, named: list[str], bases: list[str], path: str, ignore: bool) -> None:
    """The target's documentation skips the queue, whatever the rules say."""
    rules = Rules.of(listing, [*named, path], [*bases, path], ignore_outer_slashes=ignore)
    assert rules.priority_of(RequestFacts(path, "GET")) is None


@given(st.lists(paths), st.lists(paths), paths)
def test_listings_are_opposites(named: list[str], bases: list[str], path: str) -> None:
    """Of the two listings, one sends a path high and the other sends it low."""
    assume(not is_documentation(path))
    answers = {Rules.of(listing, named, bases).priority_of(RequestFacts(f"/{path}", "GET")) for listing in Listing}
    assert answers == {Priority.HIGH, Priority.LOW}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [("/orders/", Priority.LOW), ("/orders", Priority.HIGH), ("/orders/x", Priority.HIGH)],
)
def test_slashes_that_count(sent: str, expected: Priority) -> None:
    """With normalisation off, slashes are compared like any other character."""
    assert Rules.of(paths=["/orders/"], ignore_outer_slashes=False).priority_of(RequestFacts(sent, "GET")) is expected


@pytest.mark.parametrize("sent", ["/Orders", "/ORDERS/1", "/oRDERS"])
def test_capitals_count(sent: str) -> None:
    """By default, a path with other capitals is another path."""
    assert Rules.of(base_paths=["orders"]).priority_of(RequestFacts(sent, "GET")) is Priority.HIGH


@pytest.mark.parametrize("sent", ["/Orders", "/%4Frders/1", "/x/../oRDERS", "/caf%C3%A9", "/CAF%c3%89", "/x/../cafÉ"])
@pytest.mark.parametrize("listing", Listing)
def test_capitals_can_mean_nothing(listing: Listing, sent: str) -> None:
    """With `ignore`, a path in other capitals is the same path, in every reading."""
    rules = Rules.of(listing, base_paths=["ORDERS", "Café"], case=PathCase.IGNORE)
    raw_path = sent.encode().decode("latin-1")
    is_as_sent = "%4F" not in sent and ".." not in sent
    assert rules.priority_of(RequestFacts(raw_path, "GET")) is (NAMED[listing] if is_as_sent else Priority.LOW)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get", "PROPFIND"])
@pytest.mark.parametrize("path", TARGET_DOCUMENTATION_PATHS)
def test_documentation_is_read_only(path: str, method: str) -> None:
    """The target's documentation skips the queue for GET and HEAD only; a path of PASS_THROUGH for every method."""
    assert {Rules.of().priority_of(RequestFacts(path, read)) for read in ("GET", "HEAD")} == {None}
    assert Rules.of().priority_of(RequestFacts(path, method)) is Priority.HIGH
    assert Rules.of(paths=[path]).priority_of(RequestFacts(path, method)) is Priority.LOW
    assert Rules.of(pass_through=[path]).priority_of(RequestFacts(path, method)) is None


@pytest.mark.parametrize("root", ["/", ""])
def test_root(root: str) -> None:
    """The root can be named."""
    rules = Rules.of(paths=[root])
    assert rules.priority_of(RequestFacts("/", "GET")) is Priority.LOW
    assert rules.priority_of(RequestFacts("/orders", "GET")) is Priority.HIGH


@pytest.mark.parametrize("path", TARGET_DOCUMENTATION_PATHS)
def test_handshake_for_a_documentation_page(path: str) -> None:
    """A handshake skips the queue for the paths of PASS_THROUGH only, not for documentation pages."""
    handshake = RequestFacts(path, "GET", is_handshake=True)
    assert Rules.of().priority_of(handshake) is Priority.HIGH
    assert Rules.of(paths=[path]).priority_of(handshake) is Priority.LOW
    assert Rules.of(pass_through=[path]).priority_of(handshake) is None


def test_no_rules() -> None:
    """Without rules, everything but the documentation is high."""
    assert Rules().priority_of(RequestFacts("/orders", "GET")) is Priority.HIGH
