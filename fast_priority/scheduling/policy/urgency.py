"""The urgency in the field Priority (RFC 9218, section 4.1): 0 is the most urgent, 7 the least. Pure.

The field is a dictionary of structured fields (RFC 8941, section 3.2).
"""

import re

_KEY = r"[a-z*][a-z0-9_.*-]*"
_BARE_ITEM = (
    r"-?[0-9]{1,12}\.[0-9]{1,3}|-?[0-9]{1,15}"  # a decimal or an integer
    r'|"(?:[ !#-\[\]-~]|\\["\\])*"'  # a string
    r"|[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*"  # a token
    r"|:[A-Za-z0-9+/=]*:"  # bytes
    r"|\?[01]"  # a boolean
)
_PARAMETERS = rf"(?:; *{_KEY}(?:=(?:{_BARE_ITEM}))?)*"
_INNER_LIST = rf"\( *(?:(?:{_BARE_ITEM}){_PARAMETERS}(?: +|(?=\))))*\)"
_MEMBER = re.compile(rf"(?P<key>{_KEY})(?:=(?:(?P<item>{_BARE_ITEM})|{_INNER_LIST}))?{_PARAMETERS}")
_COMMA = re.compile(r"[ \t]*,[ \t]*")
_URGENCY = re.compile(r"[0-7]")
_MOST_CHARACTERS = 1024


def urgency_of(value: str) -> int | None:
    """Return the urgency in a value of the field Priority; None if it has none, or is not such a dictionary.

    A value of more than 1024 characters has none.
    """
    text = value.strip(" ")
    if len(text) > _MOST_CHARACTERS:
        return None
    position, urgency = 0, None
    while True:
        member = _MEMBER.match(text, position)
        if member is None:
            return None
        if member["key"] == "u":  # the last one counts
            urgency = member["item"] or ""
        position = member.end()
        if position == len(text):
            break
        comma = _COMMA.match(text, position)
        if comma is None:
            return None
        position = comma.end()
    return int(urgency) if urgency is not None and _URGENCY.fullmatch(urgency) else None
