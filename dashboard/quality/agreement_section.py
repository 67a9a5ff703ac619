"""Whether those who judged the same jobs of a sample agree."""

import pandas as pd
import streamlit as st

from core.quality.sentences import list_agreements, say_alpha
from core.review.sample_agreement import SampleAgreement
from dashboard.widgets.table import ROW_HEIGHT, fit_height


def show_agreement(agreement: SampleAgreement) -> None:
    """Show Krippendorff's alpha of the decisions, of each category and each reason."""
    st.header("Whether reviewers agree")
    if not agreement.decisions.jobs and not any(one.jobs for one in agreement.categories.values()):
        st.caption("No job of this sample was judged by two people yet: draw one with two opinions for each job.")
        return
    st.caption(
        "Krippendorff's alpha: 1 is full agreement, 0 is what chance alone would give. It is of the judged jobs, and "
        "below 0.67 verdicts are too unlike to build on. Who was not sure does not count."
    )
    frame = to_agreement_frame(agreement)
    st.dataframe(
        frame,
        hide_index=True,
        height=fit_height(len(frame)),
        row_height=ROW_HEIGHT,
        key="agreement",
        alt="Agreement of reviewers on decisions, by category and by reason",
    )
    if agreement.reasons is None:
        st.caption("This sample does not tell jobs apart by reason: draw one that does.")


def to_agreement_frame(agreement: SampleAgreement) -> pd.DataFrame:
    """Tell each alpha with its interval and the jobs that it is of."""
    named = list_agreements(agreement)
    said = [say_alpha(one) for _, one in named]
    return pd.DataFrame(
        {
            "Question": [name for name, _ in named],
            "Judged by two or more": [f"{one.jobs:,}" for _, one in named],
            "All agree": [f"{one.unanimous:,}" for _, one in named],
            "Alpha": [alpha for alpha, _ in said],
            "95% interval": [interval for _, interval in said],
        },
        dtype="str",
    )
