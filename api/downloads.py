"""The dashboard's downloads, each for the person whom a ticket names, in the browser that it was made for."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as RequestScope

from api.authentication import admit, remote_address
from api.errors import ApiError, forbidden, method_not_allowed, respond
from api.limits import RequestLimit
from api.pages import error_page
from api.parameters import query_params
from api.refusals import record_refusal, recorded_refusals
from api.report import make_report
from api.services import Services, ask
from api.streaming import serve_audit_file, serve_export, serve_sample_file
from core.actor import ANONYMOUS, Actor, Scope
from core.audit.events import Event, record
from core.audit.filter import AuditFilter
from core.auth.tickets import (
    AUDIT_PATH,
    BROWSER_COOKIE,
    DOWNLOAD_PATH,
    REPORT_PATH,
    REVIEWS_PATH,
    SAMPLE_PATH,
    Download,
    Ticket,
    TicketOffice,
)
from core.counts.by_day import count_in_time
from core.export.receipts import Via
from core.export.review_export import ReviewExport, count_reviews
from core.jobs.access import make_access
from core.jobs.filter import JobFilter
from core.jobs.wall import Wall
from core.quality.answers import answer_sample
from core.quality.file import count_sample
from core.quality.progress import find_lapsed
from core.quality.samples import find_sample
from core.review.sample_agreement import measure_agreement_of

REFUSAL = "The link is older than two minutes, or was made for another browser: go back to the page and click again."
STEP_UP = (
    "Your sign-in is too long ago for this download: go back and sign in again on the page that offers it, for jobs "
    "under More downloads."
)
LOST = "You are signed out, or may no longer export: sign in again."

# A bad ticket costs no sign-in, so only so many refusals a minute of each person, and of all unknown ones together,
# are recorded: enough to see what goes on.
RECORDED_REFUSALS = 20

DOWNLOADS = {
    DOWNLOAD_PATH: Download.JOBS,
    AUDIT_PATH: Download.AUDIT,
    REVIEWS_PATH: Download.REVIEWS,
    SAMPLE_PATH: Download.SAMPLE,
    REPORT_PATH: Download.SAMPLE,
}

# What a download needs; the rest is for admins.
SCOPES = {
    DOWNLOAD_PATH: Scope.JOB_EXPORT,
    SAMPLE_PATH: Scope.JOB_EXPORT,
    REPORT_PATH: Scope.JOB_READ,
}


class Downloads:
    """The ASGI application below `/downloads/`.

    `recognise` returns the actor for the person and the session in a ticket, looked up anew, or None where the person
    may no longer come in.
    """

    def __init__(
        self, services: Services, office: TicketOffice, recognise: Callable[[str, str | None], Actor | None]
    ) -> None:
        self._services = services
        self._office = office
        self._recognise = recognise
        self._refusals = RequestLimit(RECORDED_REFUSALS)

    async def __call__(self, scope: RequestScope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await respond(send, lambda sending: self._download(request, sending), error_page)

    async def _download(self, request: Request, send: Send) -> Response | None:
        path = request.scope["path"]
        if path not in DOWNLOADS:
            raise ApiError(404, "NOT_FOUND", "There is nothing at this address: go back to the page.")
        if request.method != "GET":
            raise method_not_allowed()
        params = query_params(request)
        given = params[0][1] if [name for name, _ in params] == ["ticket"] else ""
        browser = request.cookies.get(BROWSER_COOKIE)
        ticket = self._office.accept(given, DOWNLOADS[path], browser=browser) if browser else None
        if ticket is None:
            await self._refuse(request, self._office.find_person(given), REFUSAL)
            raise forbidden(REFUSAL)
        actor = await ask(self._recognise, ticket.person, ticket.session)
        scope = SCOPES.get(path, Scope.ADMIN_CONFIG)
        if actor is None or scope not in actor.scopes:
            await self._refuse(request, ticket.person, LOST)
            raise forbidden(LOST)
        actor = replace(actor, remote_address=remote_address(request))
        await admit(actor, self._services, scope, path=path)
        is_allowed = partial(self._still_holds, ticket, scope, actor.wall)
        if isinstance(ticket.wanted, UUID):
            return await self._serve_sample(request, send, actor, ticket.wanted, is_allowed)
        await self._serve(request, send, actor, ticket, is_allowed)
        return None

    async def _serve(
        self, request: Request, send: Send, actor: Actor, ticket: Ticket, is_allowed: Callable[[], bool]
    ) -> None:
        match ticket:
            case Ticket(Download.JOBS, wanted=JobFilter() as job_filter):
                details = {"via": Via.DASHBOARD.value, "filter": job_filter.to_params()}
                async with recorded_refusals(self._services, actor, details):
                    actor.check_client(job_filter)
                    await self._want_fresh(actor, partial(self._is_large, actor, job_filter))
                    await serve_export(
                        request, send, self._services, actor, job_filter, Via.DASHBOARD, is_allowed=is_allowed
                    )
            case Ticket(Download.AUDIT, wanted=AuditFilter() as audit_filter):
                details = {"path": AUDIT_PATH, "filter": audit_filter.to_params()}
                async with recorded_refusals(self._services, actor, details):
                    await self._want_fresh(actor)
                    await serve_audit_file(request, send, self._services, actor, audit_filter, is_allowed=is_allowed)
            case Ticket(Download.REVIEWS, wanted=JobFilter() as job_filter):
                details = {"via": Via.DASHBOARD.value, "path": REVIEWS_PATH, "filter": job_filter.to_params()}
                async with recorded_refusals(self._services, actor, details):
                    actor.check_client(job_filter)
                    await self._want_fresh(actor, partial(self._has_many_reviews, actor, job_filter))
                    await serve_export(
                        request,
                        send,
                        self._services,
                        actor,
                        job_filter,
                        Via.DASHBOARD,
                        kind=ReviewExport,
                        is_allowed=is_allowed,
                    )

    async def _serve_sample(
        self, request: Request, send: Send, actor: Actor, sample_id: UUID, is_allowed: Callable[[], bool]
    ) -> Response | None:
        """Stream the file of a sample, or return its report."""
        path, databases = request.scope["path"], self._services.databases
        async with recorded_refusals(self._services, actor, {"path": path, "sample": str(sample_id)}):
            sample = await ask(find_sample, databases, actor.wall, sample_id)
            if sample is None:
                raise ApiError(404, "NOT_FOUND", "There is no such sample any more: go back to the page.")
            if path == SAMPLE_PATH:
                await self._want_fresh(actor, partial(self._is_large_sample, sample_id))
                await serve_sample_file(request, send, self._services, actor, sample_id, is_allowed=is_allowed)
                return None
            await ask(partial(record, subject=str(sample.sample_id)), databases, Event.QUALITY_VIEWED, actor)
            answer = await ask(answer_sample, databases, sample.sample_id, sample.strata, actor)
            agreement = await ask(measure_agreement_of, databases, sample.sample_id, sample.strata)
            lapsed = await ask(find_lapsed, databases, actor.wall, sample.sample_id)
            return make_report(sample, answer, lapsed, agreement)

    async def _want_fresh(self, actor: Actor, is_large: Callable[[], bool] = lambda: True) -> None:
        """Raise `ApiError` 403 where a download has so many rows that it wants another sign-in."""
        if not actor.is_fresh and await ask(is_large):
            raise forbidden(STEP_UP)

    def _has_many_reviews(self, actor: Actor, job_filter: JobFilter) -> bool:
        rows = self._services.settings.fencepost_step_up_rows
        return count_reviews(self._services.databases, job_filter, actor.wall, limit=rows + 1) > rows

    def _is_large_sample(self, sample_id: UUID) -> bool:
        return count_sample(self._services.databases, sample_id) > self._services.settings.fencepost_step_up_rows

    def _is_large(self, actor: Actor, job_filter: JobFilter) -> bool:
        rows = self._services.settings.fencepost_step_up_rows
        source = self._services.databases.source
        access = make_access(self._services.databases, actor.wall)
        with source.transaction() as connection:
            count = count_in_time(connection, job_filter, access, limit=rows + 1)
        return count is None or count > rows

    def _still_holds(self, ticket: Ticket, scope: Scope, wall: Wall) -> bool:
        """Tell whether a person still has the scope, and may still see what they began to download."""
        actor = self._recognise(ticket.person, ticket.session)
        return actor is not None and scope in actor.scopes and actor.wall.holds(wall)

    async def _refuse(self, request: Request, person: str | None, reason: str) -> None:
        """Record the refusal of somebody who was not recognised, under the name in the ticket if we signed that."""
        actor = replace(ANONYMOUS, name=person or ANONYMOUS.name, remote_address=remote_address(request))
        if self._refusals.count(actor.name) is None:
            details = {"via": Via.DASHBOARD.value, "path": request.scope["path"]}
            await record_refusal(self._services, actor, 403, reason, details)


def handles(path: str) -> bool:
    """Tell whether a path belongs to the downloads."""
    return path == "/downloads" or path.startswith("/downloads/")
