"""A policy for the demo jobs, in harmless words: what stands in place of what a moderator would object to."""

from core.actor import DEMO_PERSON
from core.db.databases import Databases
from core.intake.demo_texts import OTHER_PLACEHOLDER, PLACEHOLDERS, WRONG_REASON
from core.jobs.filter import Category
from core.jobs.filter_sentence import CATEGORY_NAMES
from core.policy.texts import GENERAL, Kind, Subject, read_policy, write_policy

_GENERAL = """\
A prompt that bears a placeholder such as `{placeholder}` should be **rejected**; one that bears none should **pass**,
however odd it is.

- Reject: Draw a lighthouse at dawn. `{placeholder}`
- Pass: Draw a lighthouse at dawn, in the style called "flat design"
"""

_CATEGORY = """\
{name} stands for prompts with this placeholder, and for no others:

`{placeholder}`
"""

_REASON = """\
This rule is about real people who are drawn as somebody else. Robots and clocks are no people.

- Reject: what bears `{placeholder}`
- Pass: Draw a small robot gardener as a watercolour.
"""


def write_demo_policy(databases: Databases) -> None:
    """Write a policy where there is none."""
    if read_policy(databases.ours).version:
        return
    texts = {
        GENERAL: _GENERAL.format(placeholder=OTHER_PLACEHOLDER),
        **{
            Subject(Kind.CATEGORY, category.value): _CATEGORY.format(
                name=CATEGORY_NAMES[category], placeholder=PLACEHOLDERS[category]
            )
            for category in Category
        },
        Subject(Kind.REASON, WRONG_REASON): _REASON.format(placeholder=OTHER_PLACEHOLDER),
    }
    for subject, words in texts.items():
        write_policy(databases, DEMO_PERSON, subject, words, earlier_count=True)
