"""The dashboard's downloads, each for the person whom a ticket names, in the browser that it was made for."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.types import Receive, Send
from starlette.types import Scope as RequestScope

from api.authentication import admit, remote_address
from api.errors import ApiError, forbidden, method_not_allowed, respond
from api.limits import RequestLimit
from api.pages import error_page
from api.parameters import query_params
from api.refusals import record_refusal, recorded_refusals
from api.services import Services, ask
from api.streaming import serve_audit_file, serve_export, serve_review_file
from core.actor import ANONYMOUS, Actor, Scope
from core.auth.tickets import (
    AUDIT_PATH,
    BROWSER_COOKIE,
    DOWNLOAD_PATH,
    REVIEWS_PATH,
    AuditTicket,
    ReviewsTicket,
    Ticket,
    TicketOffice,
)
from core.export.receipts import Via

REFUSAL = "The link is older than two minutes, or was made for another browser: go back to the page and click again."
LOST = "You are signed out, or may no longer export: sign in again."

# A bad ticket costs no sign-in, so only so many refusals a minute of each person, and of all unknown ones together,
# are recorded: enough to see what goes on.
RECORDED_REFUSALS = 20


AnyTicket = Ticket | AuditTicket | ReviewsTicket


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

    async def _download(self, request: Request, send: Send) -> None:
        path = request.scope["path"]
        accepted = {
            DOWNLOAD_PATH: self._office.accept,
            AUDIT_PATH: self._office.accept_for_audit,
            REVIEWS_PATH: self._office.accept_for_reviews,
        }
        if path not in accepted:
            raise ApiError(404, "NOT_FOUND", "There is nothing at this address: go back to the page.")
        if request.method != "GET":
            raise method_not_allowed()
        params = query_params(request)
        given = params[0][1] if [name for name, _ in params] == ["ticket"] else ""
        browser = request.cookies.get(BROWSER_COOKIE)
        ticket: AnyTicket | None = accepted[path](given, browser=browser) if browser else None
        if ticket is None:
            await self._refuse(request, self._office.find_person(given), REFUSAL)
            raise forbidden(REFUSAL)
        actor = await ask(self._recognise, ticket.person, ticket.session)
        scope = Scope.JOB_READ if path == DOWNLOAD_PATH else Scope.ADMIN_CONFIG
        if actor is None or scope not in actor.scopes:
            await self._refuse(request, ticket.person, LOST)
            raise forbidden(LOST)
        await self._serve(request, send, replace(actor, remote_address=remote_address(request)), ticket, scope)

    async def _serve(self, request: Request, send: Send, actor: Actor, ticket: AnyTicket, scope: Scope) -> None:
        await admit(actor, self._services, scope, path=request.scope["path"])
        is_allowed = partial(self._still_holds, ticket, scope)
        match ticket:
            case Ticket(job_filter=job_filter):
                details = {"via": Via.DASHBOARD.value, "filter": job_filter.to_params()}
                async with recorded_refusals(self._services, actor, details):
                    actor.check_client(job_filter)
                    await serve_export(
                        request, send, self._services, actor, job_filter, Via.DASHBOARD, is_allowed=is_allowed
                    )
            case AuditTicket(audit_filter=audit_filter):
                details = {"path": AUDIT_PATH, "filter": audit_filter.to_params()}
                async with recorded_refusals(self._services, actor, details):
                    await serve_audit_file(request, send, self._services, actor, audit_filter, is_allowed=is_allowed)

            case ReviewsTicket(job_filter=job_filter):
                details = {"path": REVIEWS_PATH, "filter": job_filter.to_params()}
                async with recorded_refusals(self._services, actor, details):
                    await serve_review_file(request, send, self._services, actor, job_filter, is_allowed=is_allowed)

    def _still_holds(self, ticket: AnyTicket, scope: Scope) -> bool:
        actor = self._recognise(ticket.person, ticket.session)
        return actor is not None and scope in actor.scopes

    async def _refuse(self, request: Request, person: str | None, reason: str) -> None:
        """Record the refusal of somebody who was not recognised, under the name in the ticket if we signed that."""
        actor = replace(ANONYMOUS, name=person or ANONYMOUS.name, remote_address=remote_address(request))
        if self._refusals.count(actor.name) is None:
            details = {"via": Via.DASHBOARD.value, "path": request.scope["path"]}
            await record_refusal(self._services, actor, 403, reason, details)


def handles(path: str) -> bool:
    """Tell whether a path belongs to the downloads."""
    return path == "/downloads" or path.startswith("/downloads/")
