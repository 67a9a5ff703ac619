"""Text from outside in a label, which Streamlit reads as Markdown: it is to show itself and nothing else."""

import re

from core.characters import make_printable

# Streamlit looks for emoji and `:material/…:` after Markdown has taken its backslashes away, so that these would not
# do: an invisible joiner behind the colon does.
_JOINER = "\N{WORD JOINER}"

_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


def escape(text: str, *, longest: int = 40) -> str:
    """Return text as Markdown that shows it, in one line, cut after so many characters, turning nothing beside it."""
    line = make_printable(text)
    if len(line) > longest:
        line = line[: longest - 1] + "…"
    escaped = _PUNCTUATION.sub(r"\\\g<0>", line).replace(":", f":{_JOINER}")
    return f"\N{FIRST STRONG ISOLATE}{escaped}\N{POP DIRECTIONAL ISOLATE}"


def spell(text: str, *, longest: int = 80) -> str:
    """Return the words of text without what stands between them: for a label that is read out as it is written."""
    return " ".join(_PUNCTUATION.sub(" ", make_printable(text)).split())[:longest]
