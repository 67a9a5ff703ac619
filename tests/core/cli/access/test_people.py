"""The commands that list, give and take the rights of people."""

import re

import pytest

from tests.support.commands import RunCore, refusal


def test_rights_are_given_listed_and_taken(run_core: RunCore) -> None:
    """`people give` replaces what was given before, `people take` takes it all; both print nothing."""
    read = ("--scope", "job:read")
    done = [
        run_core("people", "give", "a@example.org", *read, "--all-clients"),
        run_core("people", "give", "A@example.org", *read, "--scope", "job:review", "--client", "b", "--client", "a"),
        run_core(
            "people", "give", "--group", "leads", "--provider", "company", "--scope", "admin:config", "--all-clients"
        ),
        run_core("people", "give", "@example.org", *read, "--all-clients"),
        run_core("people", "take", "@example.org"),
    ]

    listed = run_core("people", "list").stdout.decode()

    assert {(each.returncode, each.stdout, each.stderr) for each in done} == {(0, b"", b"")}
    now = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(
        r"WHO +MAY +CLIENTS +GIVEN +GIVEN BY\n"
        rf"a@example.org +job:read,job:review +a,b +{now}  cli\n"
        rf"group company:leads +admin:config +\(all clients\) +{now}  cli\n",
        listed,
        re.ASCII,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("take", "a@example.org"), 1, "Nothing is given to them any more"),
        (("give", "somebody", "--scope", "job:read", "--all-clients"), 2, "who is neither an address nor @domain"),
        (("give", "a@example.org", "--scope", "job:read"), 2, "Give either --client ID or --all-clients."),
        (("give", "--scope", "job:read", "--all-clients"), 2, "Give either WHO or --group."),
        (("give", "a@example.org", "--scope", "job:export", "--all-clients"), 2, "An export holds all texts"),
    ],
)
def test_what_cannot_be_given_is_said(run_core: RunCore, arguments: tuple[str, ...], code: int, message: str) -> None:
    """One line says what to do."""
    done = run_core("people", *arguments)

    assert message in refusal(done, code)
