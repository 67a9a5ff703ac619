"""The dashboard's download: an export for the person whom a ticket names, in the browser that it was made for."""

from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from api.authentication import admit, may_export
from api.errors import ApiError, forbidden, method_not_allowed, respond
from api.pages import error_page
from api.parameters import query_params
from api.services import Services, ask
from api.streaming import serve_export
from core.access import Actor
from core.receipts import Via
from core.tickets import BROWSER_COOKIE, DOWNLOAD_PATH, Ticket, TicketOffice

REFUSAL = "The link is older than two minutes, or was made for another browser: go back to the page and click again."


class Downloads:
    """The ASGI application below `/downloads/`.

    `recognise` returns the actor for the name in a ticket, looked up anew, or None where the person may no longer
    export.
    """

    def __init__(self, services: Services, office: TicketOffice, recognise: Callable[[str], Actor | None]) -> None:
        self._services = services
        self._office = office
        self._recognise = recognise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await respond(send, lambda sending: self._download(request, sending), error_page)

    async def _download(self, request: Request, send: Send) -> None:
        if request.scope["path"] != DOWNLOAD_PATH:
            raise ApiError(404, "NOT_FOUND", "There is nothing at this address: go back to the page.")
        if request.method != "GET":
            raise method_not_allowed()
        params = query_params(request)
        browser = request.cookies.get(BROWSER_COOKIE)
        names = [name for name, _ in params]
        ticket = self._office.accept(params[0][1], browser=browser) if browser and names == ["ticket"] else None
        if ticket is None:
            raise forbidden(REFUSAL)
        actor = await ask(self._recognise, ticket.person)
        if actor is None:
            raise forbidden("You are signed out, or may no longer export: sign in again.")
        admit(actor, self._services)
        actor.check_client(ticket.job_filter)
        is_allowed = partial(self._may_export, ticket)
        await serve_export(
            request, send, self._services, actor, ticket.job_filter, Via.DASHBOARD, is_allowed=is_allowed
        )

    def _may_export(self, ticket: Ticket) -> bool:
        actor = self._recognise(ticket.person)
        return actor is not None and may_export(actor)


def handles(path: str) -> bool:
    """Tell whether a path belongs to the downloads."""
    return path == "/downloads" or path.startswith("/downloads/")
