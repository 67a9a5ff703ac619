"""Characters of texts from outside: which nobody sees, which can be shown, and which can be stored."""

import codecs
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import Any

from core.errors import InvalidParameter

# Characters without a glyph whose general category does not say so (Unicode, Default_Ignorable_Code_Point), and a
# letter that is drawn as nothing.
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")

# What Unicode's bidirectional algorithm (UAX #9) is steered by.
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

# Control characters (Cc) that everybody expects in a text.
_ORDINARY = frozenset("\n\r\t")

_INVISIBLE_CATEGORIES = frozenset(("Cc", "Cf", "Zl", "Zp", "Co", "Cn"))

# Control characters would break a list of names, and those that turn the direction of writing would make one name look
# like another; halves of surrogates (bytes that were no UTF-8) cannot be stored.
_UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Invisible:
    """The invisible characters of a text: which there are, how many in all, and how many change the direction."""

    characters: tuple[str, ...]
    total: int
    direction: int


def find_invisible(text: str) -> Invisible:
    """Count the characters of a text that are invisible, and those that change the writing direction."""
    counts = Counter(text)
    found = {character: count for character, count in counts.items() if is_invisible(character)}
    direction = sum(count for character, count in found.items() if character in _DIRECTION)
    return Invisible(tuple(sorted(found)), sum(found.values()), direction)


def is_invisible(character: str) -> bool:
    """Tell whether a character is drawn as nothing, apart from ordinary white space."""
    if character in _ORDINARY:
        return False
    if character in _BLANK_LETTERS or unicodedata.category(character) in _INVISIBLE_CATEGORIES:
        return True
    # Variation selectors; and all spaces but the ordinary and the no-break one.
    point = ord(character)
    if 0xFE00 <= point <= 0xFE0F or 0xE0100 <= point <= 0xE01EF or 0x180B <= point <= 0x180F:
        return True
    return unicodedata.category(character) == "Zs" and character not in " \u00a0\u3000"


def check_shown(field: str, value: str) -> None:
    """Raise `InvalidParameter` where a name holds a character that cannot be shown beside other names."""
    if _UNSHOWN.search(value):
        raise InvalidParameter(f"{field} contains a character that cannot be shown: remove it.")


# Bidirectional classes of letters that are written from right to left (Unicode, UAX #9).
_RIGHT_TO_LEFT = ("R", "AL")


def quote(value: str, longest: int | None = None) -> str:
    """Quote a text from outside: invisible and direction-changing characters are written as their numbers."""
    if longest is not None and len(value) > longest:
        value = value[: longest - 1] + "…"
    shown = "".join(character if character.isprintable() else f"\\u{{{ord(character):x}}}" for character in value)
    if any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in shown):
        shown = f"\N{FIRST STRONG ISOLATE}{shown}\N{POP DIRECTIONAL ISOLATE}"
    return f"“{shown}”"


def make_printable(text: str) -> str:
    """Replace each character that is not printable, line breaks among them: what is left is one plain line."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def is_utf8(text: str) -> bool:
    """Tell whether a text holds no halves of surrogates, as which bytes that are not UTF-8 are read (PEP 383)."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def is_storable(text: str) -> bool:
    """Tell whether PostgreSQL's text can hold a text: neither NUL nor halves of surrogates."""
    return "\0" not in text and is_utf8(text)


def make_storable(text: str) -> str:
    """Replace what PostgreSQL's text cannot hold: NUL, and halves of surrogates."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


# What stands for a character that a database's encoding lacks: no job holds that one there, and next to none this one
# (ISO 646, SUBSTITUTE), which all encodings have.
_SUBSTITUTE = "\x1a"


def fit(value: Any, encoding: str | None) -> Any:
    """Return a value of a statement, or several, as a database of this encoding can look for it.

    PostgreSQL refuses a statement with a character that it cannot convert; so asked, it finds nothing. An encoding that
    Python does not know is left to PostgreSQL.
    """
    if encoding in (None, "UTF8", "SQL_ASCII"):
        return value
    if isinstance(value, dict):
        return {name: fit(each, encoding) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [fit(each, encoding) for each in value]
    if not isinstance(value, str) or value.isascii():
        return value
    try:
        codec = codecs.lookup(encoding.replace("WIN", "cp").replace("KOI8", "KOI8-"))
    except LookupError:
        return value
    return "".join(character if _has(codec, character) else _SUBSTITUTE for character in value)


def _has(codec: codecs.CodecInfo, character: str) -> bool:
    try:
        codec.encode(character)
    except UnicodeEncodeError:
        return False
    return True
