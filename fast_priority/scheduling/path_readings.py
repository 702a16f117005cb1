"""The readings of a path: all paths that a target may take it for. Pure.

Before a target looks a path up, it changes the path, and targets differ in how: most decode it once; many drop
`;parameters`, merge slashes and remove dot segments (RFC 3986, section 5.2.4), in one order or another; some take a
backslash for a slash, or stop at a NUL. A reading is the result of any choice of these steps. No reading decodes a path
twice.
"""

import re
from collections.abc import Callable, Iterable

Step = Callable[[str], str]

_MOST_READINGS = 64
_MOST_CHARACTERS = 32 * 1024
"""Limits of the work for one path, over all its readings. Usual paths have two to six readings."""

_PLAIN_CHARACTERS = re.compile(r"[!\"$&-*,-:<->@-\[\]-~]*")
_DOT_SEGMENT = re.compile(r"/\.\.?(?:/|\Z)")
_TRIPLET = re.compile(r"%([0-9A-Fa-f]{2})")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UTF_16_ESCAPE = re.compile(r"%[uU]((?![dD][89A-Fa-f])[0-9A-Fa-f]{4})")  # no surrogates: they are no characters
_PARAMETERS = re.compile(r";[^/]*")
_SLASHES = re.compile(r"//+")
_AUTHORITY = re.compile(r"\A[/\\]{2,}[^/\\]*")
_CUT = re.compile(r"[\0?#].*", re.DOTALL)
# ASCII in two, three or four bytes: bytes that are not UTF-8, as `surrogateescape` decodes them.
_OVERLONG = re.compile("(?:[\udcc0\udcc1]|\udce0[\udc80\udc81]|\udcf0\udc80[\udc80\udc81])[\udc80-\udcbf]")
# Characters that a path may have without percent-encoding (RFC 3986, section 3.3), and those that would end it.
_PATH_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/"
_STAYS_ENCODED = frozenset(_PATH_CHARACTERS + "%?#")
_AS_SENT = {f"{code:02X}": f"%{code:02X}" if chr(code) in _STAYS_ENCODED else chr(code) for code in range(0x100)}


def is_plain(path: str) -> bool:
    """Return whether the path has one reading only, itself: no step changes it."""
    # On the way of every request: a plain path needs few steps.
    return (
        _PLAIN_CHARACTERS.fullmatch(path) is not None
        and "//" not in path
        and ("/." not in path or _DOT_SEGMENT.search(path) is None)
    )


def as_sent(path: str) -> str:
    """Return the path as it was sent, in a form in which equal paths are equal text.

    `path` has the bytes of the path as Latin-1. An octet that a path can have only percent-encoded is decoded, as UTF-8
    if it is valid; all other percent-encoding stays, in capitals.
    """
    if "%" in path:
        path = _TRIPLET.sub(lambda found: _AS_SENT[found[1].upper()], path)
    return path if path.isascii() else path.encode("latin-1").decode("utf-8", "surrogateescape")


def encodings_of(written: str) -> set[str]:
    """Return the forms, as `as_sent` returns them, in which a named path may be sent, percent-encoded or not."""
    text = written.encode("utf-8", "surrogateescape").decode("latin-1").replace("?", "%3F").replace("#", "%23")
    return {as_sent(text), as_sent(_STRAY_PERCENT.sub("%25", text))}


def decoded(sent: str) -> str:
    """Return a path that `as_sent` returned, percent-decoded once."""
    return _TRIPLET.sub(lambda found: chr(int(found[1], 16)), sent) if "%" in sent else sent


def readings_of(sent: str) -> set[str] | None:
    """Return all readings of a path that `as_sent` returned; None if there are too many."""
    return _after(_after({sent}, _UNDECODED_STEPS), _DECODED_STEPS)


def behind_authority(sent: str) -> str | None:
    """Return the path in `//host/path`, a URL without its scheme (RFC 3986, section 4.2); None for any other path.

    A target that resolves the request target as a reference reads it so, as with `new URL(target, base)` of JavaScript.
    """
    found = _AUTHORITY.match(sent)
    return sent[found.end() :] if found else None


def climbs(raw_path: str) -> bool:
    """Return whether dot segments lead above the root in one of the readings, or there are too many readings.

    `raw_path` is as for `as_sent`.
    """
    if is_plain(raw_path):
        return False
    spelled = _after({as_sent(raw_path)}, _SPELLING_STEPS)
    return spelled is None or any(map(_goes_above, spelled))


def _after(texts: set[str] | None, steps: Iterable[Step]) -> set[str] | None:
    """Return the results of any choice of the steps, in their order, on these texts; None if there are too many."""
    for step in steps:
        if texts is None or len(texts) > _MOST_READINGS or sum(map(len, texts)) > _MOST_CHARACTERS:
            return None
        texts = texts | set(map(step, texts))
    return texts


def _decode_utf_16_escapes(path: str) -> str:
    """Decode escapes such as `%u002F`, which IIS takes for a slash."""
    return _UTF_16_ESCAPE.sub(lambda found: chr(int(found[1], 16)), path) if "%" in path else path


def _decode_overlong(path: str) -> str:
    """Decode ASCII in more bytes than UTF-8 allows (RFC 3629, section 10): old targets accept it."""
    return path if path.isascii() else _OVERLONG.sub(_short_of, path)


def _short_of(found: re.Match[str]) -> str:
    return chr((ord(found[0][-2]) & 0x01) << 6 | ord(found[0][-1]) & 0x3F)


def _replace_what_is_not_utf_8(path: str) -> str:
    """Replace as Python's own decoding does."""
    return path if path.isascii() else path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _cut(path: str) -> str:
    """End the path at a NUL, where C ends a text, or where a target finds a query after decoding."""
    return _CUT.sub("", path)


def _drop_last_line_end(path: str) -> str:
    r"""Drop a line end that `$` of regular expressions ignores: Starlette takes `/a%0A` for `/a`."""
    return path.removesuffix("\n")


def _drop_parameters(path: str) -> str:
    return _PARAMETERS.sub("", path) if ";" in path else path


def _read_plus_as_blank(path: str) -> str:
    return path.replace("+", " ")


def _read_backslash_as_slash(path: str) -> str:
    return path.replace("\\", "/")


def _merge_slashes(path: str) -> str:
    return _SLASHES.sub("/", path)


def _remove_dots(path: str) -> str:
    """Remove dot segments; the slash before the last one stays (RFC 3986, section 5.2.4)."""
    if "/." not in path and "/%2E" not in path:
        return path
    kept: list[str] = []
    name = ""
    for segment in path.split("/"):
        name = _with_plain_dots(segment)
        if name == "..":
            del kept[max(1, len(kept) - 1) :]
        elif name != ".":
            kept.append(segment)
    return "/".join([*kept, ""] if name in (".", "..") else kept)


def _drop_last_slash(path: str) -> str:
    """Read the path as the name of a file, as `normpath` does."""
    return path.removesuffix("/")


def _goes_above(path: str) -> bool:
    depth = 0
    for segment in path.split("/"):
        name = _with_plain_dots(segment)
        if name == "..":
            depth -= 1
        elif name not in ("", "."):
            depth += 1
        if depth < 0:
            return True
    return False


def _with_plain_dots(segment: str) -> str:
    # A target that removes dot segments before it decodes takes a percent-encoded dot for a dot.
    return segment.replace("%2E", ".")


_NORMALISING_STEPS: tuple[Step, ...] = (_merge_slashes, _remove_dots, _merge_slashes)
_UNDECODED_STEPS: tuple[Step, ...] = (
    _drop_parameters,
    _read_backslash_as_slash,
    *_NORMALISING_STEPS,
    _decode_utf_16_escapes,
    decoded,
)
_DECODED_STEPS: tuple[Step, ...] = (
    _decode_overlong,
    _replace_what_is_not_utf_8,
    _cut,
    _drop_last_line_end,
    _drop_parameters,
    _read_plus_as_blank,
    _read_backslash_as_slash,
    *_NORMALISING_STEPS,
    _drop_last_slash,
)
_SPELLING_STEPS: tuple[Step, ...] = (
    _drop_parameters,
    _read_backslash_as_slash,
    _decode_utf_16_escapes,
    decoded,
    _decode_overlong,
    _cut,
    _drop_last_line_end,
    _drop_parameters,
    _read_backslash_as_slash,
)
