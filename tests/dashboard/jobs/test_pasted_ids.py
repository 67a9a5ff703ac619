"""Job ids as people paste them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidParameter
from core.jobs.parameters import is_prefix
from dashboard.jobs.pasted_ids import read_ids

ONE = "0b9f3c1e-5a7d-4e0b-9c55-0d1f2a3b4c5d"
TWO = "11111111-2222-4333-8444-555555555555"
BARE = ONE.replace("-", "")

# What is pasted, and the ids that are looked for.
PASTED: dict[str, tuple[str, ...]] = {
    "": (),
    " \n ": (),
    ONE: (ONE,),
    ONE.upper(): (ONE,),
    f"  {ONE}\r\n": (ONE,),
    f"{{{ONE}}}": (ONE,),
    f"“{ONE}”": (ONE,),
    f"'{ONE}',": (ONE,),
    f"`{ONE}`": (ONE,),
    f"<{ONE}>.": (ONE,),
    f"urn:uuid:{ONE}": (ONE,),
    f"job_id: {ONE}": (ONE,),
    f"Job ID = {ONE}": (ONE,),
    BARE: (ONE,),
    ONE.replace("-", "\N{NON-BREAKING HYPHEN}"): (ONE,),
    ONE.replace("-", "–"): (ONE,),
    ONE.replace("-", " - "): (ONE,),
    f"{ONE[:20]}\n{ONE[20:]}": (ONE,),
    f"{ONE[:16]}\r\n  {ONE[16:]}": (ONE,),
    f"“{ONE[:16]} {ONE[16:]}”": (ONE,),
    "11112222, 3333, 4444, 5555, 666677778888": ("11112222", "3333", "4444", "5555", "66667777-8888"),
    "\ufeff" + ONE[:8] + "\u200b" + ONE[8:]: (ONE,),
    "".join(chr(ord(c) + 0xFEE0) if c != "-" else c for c in ONE): (ONE,),
    f"{ONE}\n{TWO}": (ONE, TWO),
    f"{TWO} {ONE} {TWO}": (TWO, ONE),
    f"{ONE},{TWO};": (ONE, TWO),
    f'["{ONE}", "{TWO}"]': (ONE, TWO),
    f"job_id\n{ONE}\n{TWO}\n": (ONE, TWO),
    f"| {ONE} | {TWO} |": (ONE, TWO),
    f"{ONE}\t{BARE}": (ONE,),
    "0b9f": ("0b9f",),
    "0B9F3C1E-": ("0b9f3c1e-",),
    "0b9f3c1e5a7d": ("0b9f3c1e-5a7d",),
    "0b9f3c1e…": ("0b9f3c1e",),
    "0b9f3c1e...": ("0b9f3c1e",),
    f"0b9f 1, {TWO}": ("0b9f", "1", TWO),
    f"https://fencepost.example/?range=7d&job={ONE}": (ONE,),
    f"https://fencepost.example/?job={ONE}&after=2026-04-15T12:00:00.000000Z_{TWO}": (ONE,),
    f"<https://fencepost.example/reviews?job={ONE}>": (ONE,),
    f"https://service.example/jobs/{ONE}/logs#top": (ONE,),
    f"http://localhost:3051/?job_id=0b9f%2C{TWO}": ("0b9f", TWO),
    f"https://fencepost.example/?job={ONE}\nhttps://fencepost.example/?job={TWO}": (ONE, TWO),
    f"?job={ONE}": (ONE,),
}

# What is pasted, and what is said of it.
HINT = "paste ids like 0b9f3c1e-5a7d-4e0b-9c55-0d1f2a3b4c5d, or how they begin, with spaces, commas or line breaks"
REFUSED: dict[str, str] = {
    "lighthouse": f"“lighthouse” is not a job id: {HINT} between them.",
    f"{ONE} lighthouse": f"“lighthouse” is not a job id: {HINT} between them.",
    ONE + "0": f"“{ONE}0” is not a job id: {HINT} between them.",
    "0b9f_": f"“0b9f_” is not a job id: {HINT} between them.",
    "https://fencepost.example/?range=7d": (
        "The address “https://fencepost.example/?range=7d” does not name a job: paste the address of an open job."
    ),
    "\n".join(f"{number:08x}" for number in range(1_234)): (
        "These are 1,234 job ids, and 100 can be found at once: remove some, and search for them afterwards."
    ),
}


@pytest.mark.parametrize("pasted", PASTED)
def test_ids_are_read_as_they_are_pasted(pasted: str) -> None:
    """Braces, quotes, line breaks, other dashes, headers of columns and whole addresses do not hide an id."""
    assert read_ids(pasted) == PASTED[pasted]


@pytest.mark.parametrize("pasted", REFUSED)
def test_what_is_no_id_is_named(pasted: str) -> None:
    """A part that is no id is never left out without a word."""
    with pytest.raises(InvalidParameter) as refused:
        read_ids(pasted)

    assert str(refused.value) == REFUSED[pasted]


@given(st.text() | st.text("0123456789abcdefABCDEF-,; \n{}\"'/?=&:#%https"))
def test_whatever_is_pasted_becomes_ids_or_a_sentence(pasted: str) -> None:
    """No text breaks the form, and what comes out of it is what the parameter takes."""
    try:
        ids = read_ids(pasted)
    except InvalidParameter:
        return

    assert all(is_prefix(each) and each == each.lower() for each in ids)
    assert read_ids(", ".join(ids)) == ids


@given(st.lists(st.tuples(st.uuids(), st.integers(1, 36)), max_size=100))
def test_what_the_form_shows_is_read_again(drawn: list[tuple[object, int]]) -> None:
    """The beginnings of ids that a filter holds stay what they are."""
    ids = tuple(dict.fromkeys(str(each)[:length] for each, length in drawn))

    assert read_ids(", ".join(ids)) == ids
