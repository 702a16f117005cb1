"""No spelling of a path gets a higher level than the path that a target takes it for."""

import posixpath
from urllib.parse import quote, unquote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from fast_priority.scheduling.path_readings import as_sent, readings_of
from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import TARGET_DOCUMENTATION_PATHS, Listing, RequestFacts, Rules

HIGH, LOW = Priority.HIGH, Priority.LOW

LOW_BY_NAME = {
    "a letter percent-encoded": ["/%72eports/1", "/repor%74s/1", "/%72%65%70%6f%72%74%73/1"],
    "dot segments": ["/./reports/1", "/x/../reports/1", "/../reports/1", "/x/y/../../reports/1", "/x/.././reports/1"],
    "dots percent-encoded": ["/x/%2e%2e/reports/1", "/x/.%2E/reports/1", "/%2e/reports/1", "/x/%2e./reports/1"],
    "slashes percent-encoded": ["/x%2f..%2freports/1", "/x/..%2freports/1", "/%2freports/1", "/x/..%2Freports%2f1"],
    "doubled slashes": ["//reports/1", "///reports/1", "/x//../reports/1", "/x/..//reports/1", "/.//reports/1"],
    "dots removed before slashes are merged": ["/reports//../1", "/reports/a//../../1", "/reports/%2f/../1"],
    "dots removed before decoding": ["/x/../reports/..%2f1", "/reports/..%2f..%2fx", "/./reports/..%2f1"],
    "parameters": ["/x/..;/reports/1", "/x/..;a=1;b/reports/1", "/;x/reports/1", "/.;/reports/1", "/x;/..;y/reports/1"],
    "parameters percent-encoded": ["/x/..%3b/reports/1", "/%3bx/reports/1", "/x/%2e%2e%3B/reports/1"],
    "backslashes": ["/x\\..\\reports/1", "/\\reports/1", "/x/..%5creports/1", "/.\\reports/1", "/%5Creports%5c1"],
    "what a NUL ends": ["/reports%00/../x", "/x/..%2freports%00", "/reports/1%00.html"],
    "too many bytes for UTF-8": ["/x/%c0%ae%c0%ae/reports/1", "/x/..%c0%afreports/1", "/%e0%81%b2eports/1",
                                 "/x/..%f0%80%80%afreports/1", "/%c1%b2eports/1"],
    "UTF-16 escapes": ["/%u0072eports/1", "/x/..%u002freports/1", "/x/%u002e%u002e/reports/1"],
    "a URL without its scheme": ["//host/reports/1", "/\\host/reports/1", "///host/reports/1", "//u@h:1/reports/1"],
}  # fmt: skip


@pytest.mark.parametrize("sent", [sent for spelled in LOW_BY_NAME.values() for sent in spelled])
@pytest.mark.parametrize("ignore_outer_slashes", [True, False])
def test_a_low_path_is_low_in_every_spelling(sent: str, ignore_outer_slashes: bool) -> None:
    """A path that some server takes for a low one is low, with NORMALIZE_PATHS on or off."""
    rules = Rules.of(base_paths=["reports"], ignore_outer_slashes=ignore_outer_slashes)
    assert rules.priority_of(RequestFacts(sent, "GET")) is LOW


@pytest.mark.parametrize("sent", ["/exact%2f", "/exac%74/", "/x/../exact/", "/exact//", "/exact/x/..", "/./exact%2F"])
def test_another_spelling_of_a_file_is_low(sent: str) -> None:
    """Where slashes at the end count, a path in another spelling is low if it names the low file."""
    assert Rules.of(paths=["exact"], ignore_outer_slashes=False).priority_of(RequestFacts(sent, "GET")) is LOW


@pytest.mark.parametrize(("written", "sent"), [("café/", "/caf%C3%A9/"), ("a b//", "/a%20b//"), ("a/", "/a/")])
def test_a_slash_at_the_end_can_count(written: str, sent: str) -> None:
    """Where slashes at the end count, a name with one matches what is sent for it, and nothing without it."""
    rules = Rules.of(Listing.LISTED, [written], ignore_outer_slashes=False)
    assert rules.priority_of(RequestFacts(sent, "GET")) is HIGH
    assert rules.priority_of(RequestFacts(sent.rstrip("/"), "GET")) is LOW


EXACT = ["/reports%2f", "/reports/.", "/reports/x/..", "/reports;v=1", "/reports;", "/reports%00x", "/reports%3fx",
         "/reports%23x", "/reports%0a", "/./reports", "//reports", "/reports//", "/reports%5c", "/reports/%2e",
         "/reports%3Bv", "/x/..%2freports", "/%72eports"]  # fmt: skip


@pytest.mark.parametrize("sent", EXACT)
def test_an_exact_path_is_low_in_every_spelling(sent: str) -> None:
    """So is one that is named exactly, with what servers drop behind it."""
    assert Rules.of(paths=["reports"]).priority_of(RequestFacts(sent, "GET")) is LOW


@pytest.mark.parametrize("sent", EXACT)
def test_another_spelling_is_never_passed_through(sent: str) -> None:
    """A path that is passed through is so only as it is written: in another spelling it is queued."""
    assume_named = sent.strip("/") == "reports"
    level = Rules.of(pass_through=["reports"]).priority_of(RequestFacts(sent, "GET"))
    assert level is (None if assume_named else HIGH)
    assert Rules.of(pass_through=["reports"], base_paths=["reports"]).priority_of(RequestFacts(sent, "GET")) is (
        None if assume_named else LOW
    )


@pytest.mark.parametrize("sent", EXACT)
def test_another_spelling_is_never_high_by_name(sent: str) -> None:
    """With `listed`, a path is high only as it is written."""
    assume_named = sent.strip("/") == "reports"
    level = Rules.of(Listing.LISTED, paths=["reports"]).priority_of(RequestFacts(sent, "GET"))
    assert level is (HIGH if assume_named else LOW)


@pytest.mark.parametrize(
    "sent", ["/reports/../orders", "/reports/%2e%2e/orders", "/reports/..;/orders", "/reports%2f..%2forders"]
)
def test_what_leads_out_of_a_named_path_is_not_high(sent: str) -> None:
    """With `listed`, a path that begins as a high one and leads to another is low."""
    assert Rules.of(Listing.LISTED, base_paths=["reports"]).priority_of(RequestFacts(sent, "GET")) is LOW


@pytest.mark.parametrize(
    "sent",
    ["/%2572eports/1", "/x/%252e%252e/reports/1", "/x/..%252freports/1", "/%25u0072eports/1", "/orders/1", "/a%20b",
     "/orders;v=1", "/orders/%2e%2e/x", "/x/reports/1", "/.reports/1", "/.well-known/x", "/a+b", "/caf%C3%A9", "/%FF",
     "/100%", "/report%", "/re-ports", "/or%2fders"],
)  # fmt: skip
def test_what_no_server_takes_for_it_is_high(sent: str) -> None:
    """A path of which no reading is low is high. Nothing is decoded twice."""
    assert Rules.of(paths=["reports"], base_paths=["reports/"]).priority_of(RequestFacts(sent, "GET")) is HIGH


@pytest.mark.parametrize("written", ["café", "caf%C3%A9", "caf%c3%a9", "/café/"])
@pytest.mark.parametrize("sent", ["/caf%C3%A9", "/caf%c3%a9", "/caf%C3%a9/"])
@pytest.mark.parametrize("listing", Listing)
def test_a_name_that_is_not_ascii(listing: Listing, written: str, sent: str) -> None:
    """A setting that is not ASCII matches its percent-encoded form, and so does one that is written so."""
    for name in ("paths", "base_paths"):
        rules = Rules.of(listing, **{name: [written]})  # type: ignore[arg-type]
        assert rules.priority_of(RequestFacts(sent, "GET")) is (HIGH if listing is Listing.LISTED else LOW)
    assert Rules.of(listing, pass_through=[written]).priority_of(RequestFacts(sent, "POST")) is None


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("a b", "/a%20b"),
        ("a%20b", "/a%20b"),
        ("what?", "/what%3f"),
        ("a#b", "/a%23b"),
        ("100%", "/100%"),
        ("100%", "/100%25"),
        ("a|b", "/a%7cb"),
        ("a%7Cb", "/a|b"),
        ("a+b", "/a+b"),
        ("a;v=1", "/a;v=1"),
        ("a//b", "/a//b"),
        ("a%2fb", "/a%2Fb"),
        ("x/../y", "/x/../y"),
        ("日本/語", "/%E6%97%A5%E6%9C%AC/%E8%AA%9E"),
    ],
)
@pytest.mark.parametrize("listing", Listing)
def test_a_name_matches_as_it_is_sent(listing: Listing, written: str, sent: str) -> None:
    """A setting with characters that a request has to encode, or that have readings, matches what is sent for it."""
    assert Rules.of(listing, [written]).priority_of(RequestFacts(sent, "GET")) is (
        HIGH if listing is Listing.LISTED else LOW
    )
    assert Rules.of(listing, pass_through=[written]).priority_of(RequestFacts(sent, "GET")) is None


def test_a_name_is_met_decoded() -> None:
    """A low path that is written percent-encoded, without need, is low as well where it is sent without."""
    assert Rules.of(paths=["%7Euser"]).priority_of(RequestFacts("/~user", "GET")) is LOW
    assert Rules.of(Listing.LISTED, paths=["%7Euser"]).priority_of(RequestFacts("/~user", "GET")) is LOW
    assert Rules.of(pass_through=["%7Euser"]).priority_of(RequestFacts("/~user", "GET")) is HIGH


def test_a_plus_can_be_a_blank() -> None:
    """Who decodes a path as a form's field reads a plus as a blank."""
    assert Rules.of(paths=["a b"]).priority_of(RequestFacts("/a+b", "GET")) is LOW


@pytest.mark.parametrize("sent", ["/x%ff", "/x%c3", "/x%EF%BF%BD"])
def test_bytes_that_are_not_utf_8_can_be_one_character(sent: str) -> None:
    """Who decodes with replacement, as uvicorn, takes all bytes that are not UTF-8 for the same character."""
    assert Rules.of(paths=["x\ufffd"]).priority_of(RequestFacts(sent, "GET")) is LOW


@pytest.mark.parametrize("sent", ["/" + "a/../" * 12_000, "/" + ";\\+//..%2f%00%0a/." * 20, "/%2e" * 16_000])
def test_what_has_too_many_readings_is_low(sent: str) -> None:
    """A path that cannot be read in all ways in a short time is low, and never passed through."""
    assert Rules.of(pass_through=[sent.strip("/")]).priority_of(RequestFacts(sent, "GET")) is LOW


def test_a_long_path_in_another_script_is_read() -> None:
    """A path of 3000 characters that are percent-encoded is not too long to be read."""
    assert Rules.of(paths=["x"]).priority_of(RequestFacts("/" + quote("語") * 3000, "GET")) is HIGH


pieces = st.sampled_from(
    ["reports", "health", "x", "/", "/", ".", "..", "/../", "/./", "//", "%2e", "%2F", "%5c", "\\", ";", ";a=1", "%3b",
     "%00", "%0a", "%3f", "%25", "%", "%72", "+", "%c0%ae", "%c0%af", "%ff", "%C3%A9", "%u002f", "1"]
)  # fmt: skip
spelled = st.lists(pieces, max_size=12).map(lambda found: "/" + "".join(found))


def _starlette(path: str) -> str:
    return unquote(path)


def _starlette_at_a_line_end(path: str) -> str:
    return unquote(path).removesuffix("\n")


def _file_server(path: str) -> str:
    return posixpath.normpath(unquote(path))


def _tomcat(path: str) -> str:
    segments = [segment.partition(";")[0] for segment in path.split("/")]
    return posixpath.normpath(unquote("/".join(segments)))


def _php(path: str) -> str:
    return posixpath.normpath(unquote(path).partition("\0")[0])


def _iis(path: str) -> str:
    return posixpath.normpath(unquote(path).replace("\\", "/"))


def _as_sent(path: str) -> str:
    return path


SERVERS = [_starlette, _starlette_at_a_line_end, _file_server, _tomcat, _php, _iis, _as_sent]


@given(spelled, st.sampled_from(SERVERS), st.booleans())
@example("/reports%2f..%2f..%2fhealth", _file_server, False)
def test_no_server_takes_a_high_path_for_a_low_one(path: str, read: object, ignore_outer_slashes: bool) -> None:
    """Whatever a server makes of a path: if that is low, the path is low; if it skips no queue, nor does the path."""
    assert callable(read)
    served = read(path).strip("/")
    rules = Rules.of(base_paths=["reports"], pass_through=["health"], ignore_outer_slashes=ignore_outer_slashes)
    level = rules.priority_of(RequestFacts(path, "GET"))
    if served.startswith("reports"):
        assert level is LOW
    if served != "health":
        assert level is not None


@given(spelled, st.sampled_from(SERVERS))
def test_no_server_takes_an_unlisted_path_for_a_high_one(path: str, read: object) -> None:
    """With `listed`, what a server takes for a path that is not listed is low."""
    assert callable(read)
    rules = Rules.of(Listing.LISTED, paths=["reports", "reports/1"])
    if read(path).strip("/") not in ("reports", "reports/1"):
        assert rules.priority_of(RequestFacts(path, "GET")) is LOW


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/?#%;+\\"), min_size=1),
    st.sampled_from(Listing),
)
def test_any_name_matches_its_encoded_form(name: str, listing: Listing) -> None:
    """Whatever text a path is named by, the same text percent-encoded is that path."""
    assume(name not in (".", "..") and not name.endswith(" ") and f"/{name}" not in TARGET_DOCUMENTATION_PATHS)
    rules = Rules.of(listing, paths=[name])
    sent = "/" + quote(name)
    assume(not is_changed_without_need(sent, name))
    assert rules.priority_of(RequestFacts(sent, "GET")) is (HIGH if listing is Listing.LISTED else LOW)


def is_changed_without_need(sent: str, name: str) -> bool:
    return as_sent(sent) != "/" + name


@given(spelled)
def test_a_path_is_one_of_its_readings(path: str) -> None:
    """The path as it was sent is a reading, and there are at most a few."""
    readings = readings_of(as_sent(path))
    assert readings is None or as_sent(path) in readings


@given(st.binary(max_size=60))
def test_any_bytes_have_a_level(path: bytes) -> None:
    """No path is an error, and the same path always has the same level."""
    rules = Rules.of(paths=["x"], base_paths=["é"], pass_through=["health"])
    levels = {rules.priority_of(RequestFacts(path.decode("latin-1"), method)) for method in ("GET", "POST", "GET")}
    assert levels <= {HIGH, LOW, None}
