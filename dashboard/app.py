"""The composition root: pages, API and downloads in one ASGI application."""

import secrets
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.types import ASGIApp
from streamlit import config

from api.downloads import Downloads
from api.request_log import RequestLog
from api.routes import Api
from api.services import create_services
from core.auth.derived_keys import derive_key
from core.auth.session_ids import SessionIds
from core.auth.sign_in import Door
from core.auth.tickets import TicketOffice
from core.db.databases import Databases
from core.errors import InvalidSetting
from core.settings import Settings
from dashboard.server.bursts import SentInBursts
from dashboard.server.guard import Guard, is_loopback
from dashboard.server.held_sessions import HeldSessions
from dashboard.server.sign_in_failure import keep_sign_in_short
from dashboard.server.sign_in_settings import SignIn, give_streamlit, read_sign_in
from dashboard.session.connections import ClosedWithSession, OpenConnections
from dashboard.session.first_run import begin_with_whole_page
from dashboard.session.person import recognise
from dashboard.session.resources import Resources, provide
from dashboard.session.uninterrupted import let_callbacks_begin
from dashboard.widgets.failure import keep_traces_out, show_failure

MAIN = Path(__file__).with_name("main.py")


def create_app(databases: Databases, settings: Settings) -> st.App:
    """Compose the application. The databases are open, and stay the caller's to close."""
    services = create_services(databases, settings)
    sign_in = None if settings.fencepost_demo else read_sign_in()
    # Where there is no sign-in, tickets may end with the process: they live for two minutes.
    newest_first = (secrets.token_urlsafe(32),) if sign_in is None else sign_in.secrets
    office = TicketOffice(*(derive_key(secret, "fencepost tickets") for secret in newest_first))
    ids = SessionIds([derive_key(secret, "fencepost sessions") for secret in newest_first])
    if sign_in is not None:
        give_streamlit(derive_key(sign_in.secrets[0], "fencepost streamlit").hex())
    providers = () if sign_in is None else sign_in.names
    door = None if sign_in is None else Door(databases, settings, providers)
    connections = OpenConnections()
    provide(Resources(databases, settings, office, door, providers, connections))
    guard = Middleware(
        Guard,
        settings=settings,
        api=Api(services),
        downloads=Downloads(services, office, lambda name, session: recognise(settings, door, name, session)),
        hosts=() if sign_in is None else (sign_in.host,),
        ids=ids,
        logout=None if sign_in is None else _create_logout(databases, sign_in),
    )
    keep_traces_out()
    keep_sign_in_short()
    let_callbacks_begin()
    begin_with_whole_page()
    layers = [Middleware(RequestLog), guard]
    if door is not None:
        layers.append(Middleware(HeldSessions, door=door, ids=ids))
        layers.append(Middleware(ClosedWithSession, connections=connections, recognise=door.recognise))
    layers.append(Middleware(SentInBursts))
    return st.App(MAIN, middleware=layers, on_script_error=show_failure)


def _create_logout(databases: Databases, sign_in: SignIn) -> ASGIApp:
    # Here, because what reads signed tokens takes a part of the start that nobody needs who has no sign-in.
    from dashboard.server.backchannel_logout import BackchannelLogout

    return BackchannelLogout(databases, sign_in.providers)


def check_configuration(settings: Settings) -> None:
    """Raise `InvalidSetting` where Streamlit's configuration would open a door that is meant to be closed."""
    if config.get_option("server.trustedUserHeaders"):
        raise InvalidSetting("server.trustedUserHeaders lets a header say who somebody is: remove it.")
    if config.get_option("server.enableAgentApi"):
        raise InvalidSetting("server.enableAgentApi opens a second door into sessions: remove it.")
    if not settings.fencepost_demo:
        sign_in = read_sign_in()
        Door.check(settings, () if sign_in is None else sign_in.names)
    address = config.get_option("server.address") or "0.0.0.0"  # noqa: S104 - what Streamlit takes for unset
    if settings.fencepost_demo and not is_loopback(address):
        raise InvalidSetting(
            f"Demo mode starts only on a loopback address, because everybody may do everything, and {address} is none: "
            "set STREAMLIT_SERVER_ADDRESS=localhost or unset FENCEPOST_DEMO."
        )
