"""Job ids as people paste them: from a list, a log, a message, a spreadsheet or an address."""

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

from core.characters import quote
from core.errors import InvalidParameter
from core.jobs.filter import JOB_ID, MOST_JOB_IDS
from core.jobs.parameters import is_prefix

_DIGITS = "[0-9a-f]"

# A whole UUID, with its dashes, without them, or with other characters than dashes between its groups.
_WHOLE = re.compile(
    rf"(?<!{_DIGITS})({_DIGITS}{{8}})-?({_DIGITS}{{4}})-?({_DIGITS}{{4}})-?({_DIGITS}{{4}})-?({_DIGITS}{{12}})(?!{_DIGITS})"
)

# What stands between ids, or around one.
_SEPARATORS = re.compile(r"[\s,;:|{}()\[\]<>\"'`“”„‘’«»=*#…]+")

_ENDS = re.compile(rf"^{_SEPARATORS.pattern}|{_SEPARATORS.pattern}$")

# Words that stand before ids, such as the header of a column.
_HEADINGS = frozenset(("job", "jobs", "id", "ids", "job_id", "job_ids", "jobid", "job-id", "uuid", "urn"))


def read_ids(pasted: str) -> tuple[str, ...]:
    """Return the job ids, or their beginnings, that a pasted text holds, in the usual form and in its order.

    Raises `InvalidParameter` where a part of the text is none, so that no id is left out without a word.
    """
    text = _tidy(pasted)
    # One id that a line break or spaces have torn apart.
    joined = _WHOLE.fullmatch(_ENDS.sub("", "".join(text.split())))
    found = ["-".join(joined.groups())] if joined else [each for part in text.split() for each in _read_part(part)]
    ids = tuple(dict.fromkeys(found))
    if len(ids) > MOST_JOB_IDS:
        raise InvalidParameter(
            f"These are {len(ids):,} job ids, and {MOST_JOB_IDS} can be found at once: remove some, and search for "
            "them afterwards."
        )
    return ids


def _tidy(pasted: str) -> str:
    """Undo what programs do to ids: other dashes, full-width or upper-case letters, invisible characters."""
    text = unicodedata.normalize("NFKC", pasted).lower()
    text = "".join("-" if unicodedata.category(each) == "Pd" or each == "\u2212" else each for each in text)
    return "".join(each for each in text if unicodedata.category(each) != "Cf")


def _read_part(part: str) -> Iterator[str]:
    """Yield the ids of a part without white space."""
    if "://" in part or part.startswith(("/", "?")):
        yield from _read_address(part)
        return
    rest = 0
    for whole in _WHOLE.finditer(part):
        yield from _read_beginnings(part[rest : whole.start()])
        yield "-".join(whole.groups())
        rest = whole.end()
    yield from _read_beginnings(part[rest:])


def _read_address(address: str) -> Iterator[str]:
    """Yield the job that an address opens, or else those that it filters by, or else every id in it."""
    address = address.strip("<>()\"'")
    try:
        params = dict(parse_qsl(urlsplit(address).query))
    except ValueError:
        params = {}
    named = params.get("job") or params.get(JOB_ID.name)
    found = list(_read_part(named)) if named else ["-".join(whole.groups()) for whole in _WHOLE.finditer(address)]
    if not found:
        raise InvalidParameter(
            f"The address {quote(address, 60)} does not name a job: paste the address of an open job."
        )
    yield from found


def _read_beginnings(text: str) -> Iterator[str]:
    for word in _SEPARATORS.split(text):
        word = word.rstrip(".")
        if not word or word in _HEADINGS:
            continue
        beginning = _put_dashes(word)
        if not is_prefix(beginning):
            raise InvalidParameter(
                f"{quote(word, 60)} is not a job id: paste ids like 0b9f3c1e-5a7d-4e0b-9c55-0d1f2a3b4c5d, or how they "
                "begin, with spaces, commas or line breaks between them."
            )
        yield beginning


def _put_dashes(word: str) -> str:
    """Write the beginning of a UUID without dashes as one with them."""
    if not re.fullmatch(rf"{_DIGITS}{{9,32}}", word):
        return word
    return "-".join(filter(None, (word[start:end] for start, end in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))))
