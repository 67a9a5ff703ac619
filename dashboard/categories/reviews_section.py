"""What reviews say about the decisions of a range: rates of overturning by week, agreement, and the file of all."""

from collections.abc import Sequence
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from core.actor import Actor, Scope
from core.auth.tickets import BROWSER_COOKIE, LIFETIME, REVIEWS_PATH, Download, Ticket
from core.export.review_export import count_reviews
from core.jobs.filter import JobFilter
from core.jobs.filter_sentence import CATEGORY_NAMES
from core.review.agreement import Agreement
from core.review.statistics import OverturnRate, list_overturn_rates, measure_agreement
from dashboard.address.view import View
from dashboard.address.zones import shown_zone
from dashboard.categories.address import further_filter
from dashboard.categories.tables import show_table
from dashboard.session.admission import ADMINS, fragment
from dashboard.session.resources import get_resources
from dashboard.session.step_up import may_download

# Fewer firm verdicts than this say little about a rate.
FEW = 30


def show_review_figures(view: View, person: Actor) -> None:
    """Show the figures of the reviews of jobs that were created in the range, whoever made them."""
    resources = get_resources()
    bounds, client_id = view.job_filter.range, view.job_filter.client_id
    with resources.databases.ours.transaction(timeout=resources.settings.fencepost_page_timeout) as connection:
        rates = list_overturn_rates(connection, bounds, client_id, person.wall, shown_zone(view))
        agreement = measure_agreement(connection, bounds, client_id, person.wall)
    st.header("Reviews")
    if further_filter(view.job_filter) is not None:
        st.caption("These cover all jobs of the period and the client, whatever the other filters say.")
    if not rates:
        st.caption("Nobody has agreed with or overturned a decision on these jobs yet.")
    else:
        st.text(describe_rates(rates))
        st.text(describe_agreement(agreement))
        show_table(to_frame(rates), key="overturn_rates", alt="Overturned decisions by week and category")
    if Scope.ADMIN_CONFIG in person.scopes:
        _show_download(JobFilter(range=bounds, client_id=client_id))


def describe_rates(rates: Sequence[OverturnRate]) -> str:
    """Say how many of the verdicts overturn, with the size of the sample."""
    total = [rate for rate in rates if rate.category is None]
    reviewed, overturned = sum(rate.reviewed for rate in total), sum(rate.overturned for rate in total)
    verdicts = "1 verdict overturns" if overturned == 1 else f"{overturned:,} verdicts overturn"
    said = f"{verdicts} the decision, of {reviewed:,} ({overturned / reviewed:.1%})."
    return said if reviewed >= FEW else f"{said} That is too few to say much."


def describe_agreement(agreement: Agreement) -> str:
    """Say how often reviewers of the same job agree."""
    if not agreement.jobs:
        return "No job was judged by two people yet, so nothing is known of their agreement."
    share = agreement.unanimous / agreement.jobs
    jobs = "1 job" if agreement.jobs == 1 else f"{agreement.jobs:,} jobs"
    said = f"Of {jobs} judged by two or more, they agree on {agreement.unanimous:,} ({share:.1%})."
    if agreement.alpha is not None:
        interval = agreement.interval
        between = "" if interval is None else f" (with 95 % between {interval[0]:.2f} and {interval[1]:.2f})"
        said += (
            f" Krippendorff's alpha is {agreement.alpha:.2f}{between}: 1 is full agreement, 0 what chance would give."
        )
    return said


def to_frame(rates: Sequence[OverturnRate]) -> pd.DataFrame:
    """Tell each rate with the number of verdicts that it is a share of, the newest week first."""
    rates = sorted(rates, key=lambda rate: rate.week, reverse=True)
    return pd.DataFrame(
        {
            "Week of": [str(rate.week) for rate in rates],
            "Category": ["All jobs" if rate.category is None else CATEGORY_NAMES[rate.category] for rate in rates],
            "Verdicts": [rate.reviewed for rate in rates],
            "Overturned": [rate.overturned for rate in rates],
            "Overturned, share": [rate.overturned / rate.reviewed for rate in rates],
        }
    )


# Renewed well within a ticket's life, so that a link on an open page always works.
@fragment(run_every=LIFETIME / 2, scopes=ADMINS)
def _show_download(person: Actor, job_filter: JobFilter) -> None:
    databases = get_resources().databases
    if not may_download(person, lambda limit: count_reviews(databases, job_filter, person.wall, limit=limit)):
        return
    browser = st.context.cookies.get(BROWSER_COOKIE, "")
    ticket = get_resources().office.issue(
        Ticket(Download.REVIEWS, person.name, job_filter, person.session), browser=browser
    )
    st.link_button(
        "Download CSV · all reviews of this period",
        f"{REVIEWS_PATH}?{urlencode({'ticket': ticket})}",
        icon=":material/download:",
        key="download_reviews",
        help="Every verdict with its note. Cells that a spreadsheet could take for a formula begin with a '.",
    )
