"""Whatever runs over an open connection looks the person up anew: read from the sources themselves."""

import ast
from collections.abc import Iterator

import pytest

from tests.rules.test_packages import modules, name_of, parse

ADMISSION = "dashboard.session.admission"
MAKERS = {"as_person", "admitted"}

# What Streamlit runs without the script around it.
RERUN_ALONE = {"fragment", "dialog"}

# Makes the fragments and dialogs of all others.
MAKER = "dashboard/session/admission.py"

# What is for whoever is not in: to sign in, and to sign out, which looks up by itself whom.
AT_THE_DOOR = {
    "dashboard/session/person.py": {"sign_out", "st.login"},
    "dashboard/session/sessions_dialog.py": {"sign_out"},
}


def find_unguarded(tree: ast.Module, allowed: set[str] = frozenset()) -> Iterator[str]:  # type: ignore[assignment]
    """Return each callback, fragment and dialog that does not go through the admission, as it is written."""
    given = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == ADMISSION
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("streamlit"):
            yield from (alias.name for alias in node.names if alias.name in RERUN_ALONE)
        if isinstance(node, ast.Attribute) and node.attr in RERUN_ALONE:
            yield ast.unparse(node)
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                name = keyword.arg or ""
                if name.startswith("on_") and not _is_admitted(keyword.value, given, allowed):
                    yield f"{name}={ast.unparse(keyword.value)}"
        elif isinstance(node, ast.Dict):
            # What is handed on with two asterisks.
            for key, value in zip(node.keys, node.values, strict=True):
                is_callback = isinstance(key, ast.Constant) and str(key.value).startswith(
                    ("on_click", "on_change", "on_s")
                )
                if is_callback and not _is_admitted(value, given, allowed):
                    yield f"{ast.unparse(key) if key else ''}: {ast.unparse(value)}"


def _is_admitted(value: ast.expr, given: set[str], allowed: set[str]) -> bool:
    """Tell whether a callback is made by the admission, is a word of Streamlit's, or does nothing."""
    if isinstance(value, ast.Constant) or ast.unparse(value) in allowed | {"lambda: None"}:
        return True
    return isinstance(value, ast.Call) and ast.unparse(value.func) in MAKERS & given


PAGES = [path for path in modules("dashboard") if name_of(path) != MAKER]


def test_callbacks_and_fragments_go_through_the_admission() -> None:
    """No callback, fragment or dialog is given to Streamlit that does not look up who is there."""
    # What says that something failed knows of nobody.
    allowed = AT_THE_DOOR | {"dashboard/app.py": {"show_failure"}}

    # Our own functions may take a callback by such a name, and hand it on where it is looked at again.
    found = [
        (name_of(path), said)
        for path in PAGES
        for said in find_unguarded(parse(path), allowed.get(name_of(path), set()))
        if not said.startswith(("on_open=", "on_done="))
    ]

    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import streamlit as st\nst.button('a', on_click=go)",
        "import streamlit as st\nst.button('a', on_click=lambda: go())",
        "import streamlit as st\nst.toggle('a', on_change=admitted(go))",
        "import streamlit as st\nst.form_submit_button('a', on_submit=partial(go, 1))",
        "import streamlit as st\nst.button('a', **{'on_click': go})",
        "import streamlit as st\n@st.fragment\ndef show(): ...",
        "import streamlit as st\n@st.fragment(run_every=2)\ndef show(): ...",
        "import streamlit as st\nst.dialog('a')(show)",
        "from streamlit import fragment\n@fragment\ndef show(): ...",
        "from streamlit import fragment as often\n@often\ndef show(): ...",
    ],
)
def test_the_rule_sees_what_goes_past(source: str) -> None:
    """Each way past the admission is found."""
    assert list(find_unguarded(ast.parse(source))) != []


# Read, and change nothing.
READING = ("ask_", "count_", "find_", "list_", "make_access", "read_", "describe_")


def find_repeatable(tree: ast.Module) -> Iterator[str]:
    """Return what a dialog does for its person that a second press would do once more: it stands in no lambda."""
    for dialog in ast.walk(tree):
        if not isinstance(dialog, ast.FunctionDef) or not any(
            isinstance(made, ast.Call) and ast.unparse(made.func) == "dialog" for made in dialog.decorator_list
        ):
            continue
        called = {
            node.func.id for node in ast.walk(dialog) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        helpers = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in called]
        for function in (dialog, *helpers):
            later = {
                inner
                for made in ast.walk(function)
                if isinstance(made, ast.Lambda | ast.FunctionDef) and made is not function
                for inner in ast.walk(made)
            }
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and len(node.args) > 1 and node not in later:
                    databases, who = (ast.unparse(argument) for argument in node.args[:2])
                    name = ast.unparse(node.func)
                    if databases.endswith("databases") and who == "person" and not name.startswith(READING):
                        yield name


def test_a_dialog_does_once_what_it_does() -> None:
    """Nothing that a dialog writes is written again by a second press: it goes through `make_once`."""
    assert [(name_of(path), said) for path in PAGES for said in find_repeatable(parse(path))] == []


def test_what_a_dialog_would_do_twice_is_found() -> None:
    """A write in the dialog itself, or in a function that it calls, is found; one that is handed on is not."""
    source = """
@dialog("Place a hold", scopes=ADMINS)
def place(person):
    list_holds(databases, person)
    place_hold(get_resources().databases, person, held)
    make_once(lambda: end_hold(databases, person))
    _give(person)

def _give(person):
    give_rights(resources.databases, person)
"""

    assert list(find_repeatable(ast.parse(source))) == ["place_hold", "give_rights"]


def find_polls(tree: ast.Module) -> Iterator[str]:
    """Return who is found by each fragment that runs every few seconds and does not leave that to the admission."""
    for node in ast.walk(tree):
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in getattr(node, "keywords", ())}
        if given.keys() >= {"run_every", "find"}:
            yield given["find"]


def test_what_a_page_does_by_itself_is_no_act() -> None:
    """No fragment that runs by itself keeps the session of somebody who has gone: it finds them as waiting."""
    polls = [(name_of(path), find) for path in PAGES for find in find_polls(parse(path))]

    assert [(name, find) for name, find in polls if find != "partial(find_person, False)"] == []


def test_a_page_that_polls_as_its_person_is_found() -> None:
    """A fragment that runs by itself and finds its person as if they had done something is found."""
    source = "fragment(run_every=LIVE, find=find_person)(show)()\nfragment(run_every=LIVE)(show)()"

    assert list(find_polls(ast.parse(source))) == ["find_person"]
