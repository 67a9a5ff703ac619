"""How the open job is to be judged in a sample or a shared queue: blind or not, and for which of them."""

from dataclasses import dataclass
from uuid import UUID

import streamlit as st

from core.jobs.hidden_text import Texts
from core.review.verdicts import Verdict

_CONDUCT = "conduct"

# In place of "agree" and "overturn", which would tell what was decided: word, key, meaning.
REJECT = ("Reject", "X", "The job should be rejected.")
PASS = ("Pass", "P", "The job should pass.")

HIDDEN = "? Decision hidden"
WHY_HIDDEN = "all texts are here, so that none tells what was decided"


@dataclass(frozen=True, slots=True)
class Conduct:
    """`is_blind`: decision, reason, categories and logs of the job are hidden from the person.

    `queue` is the shared queue or the sample that the job was opened from.
    """

    job: UUID | None = None
    is_blind: bool = False
    queue: UUID | None = None

    def narrow(self, texts: Texts) -> Texts:
        """Return which texts are shown: what is hidden must not tell what was decided."""
        return texts if not self.is_blind or texts is Texts.ALL else Texts.NONE


def keep_conduct(conduct: Conduct | None) -> None:
    """Let the open job be judged in a way, or (None) as everywhere."""
    st.session_state[_CONDUCT] = (st.session_state.get("page"), conduct or Conduct())


def find_conduct(job_id: UUID) -> Conduct:
    """Return how a job is to be judged on this page."""
    page, conduct = st.session_state.get(_CONDUCT) or (None, Conduct())
    return conduct if page == st.session_state.get("page") and conduct.job == job_id else Conduct()


def name_blind(verdict: Verdict, *, is_prohibited: bool) -> tuple[str, str, str] | None:
    """Return word, key and meaning of a verdict for who does not see the decision; None where they are the usual."""
    if verdict not in (Verdict.AGREE, Verdict.OVERTURN):
        return None
    return REJECT if is_prohibited is (verdict is Verdict.AGREE) else PASS
