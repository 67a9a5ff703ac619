"""Addresses of databases as people write them, as libpq reads them; nothing that is said repeats a piece of one."""

import re
from urllib.parse import quote, unquote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from core.errors import InvalidSetting

FORM = "write it as postgresql://user:password@host:5432/database"

# What other drivers and ORMs take after the `?`, and libpq does not: it says nothing of the database.
_FOREIGN = frozenset(
    ("pgbouncer", "connection_limit", "pool_timeout", "socket_timeout", "statement_cache_size", "sslaccept")
) | {"prepared_statement_cache_size", "prepared_statement_name_func"}

# A password may hold each of the characters that end it: the host begins after the last `@`.
_LOOSE = re.compile(r"([^:@/?#]*):(.*)@([\w.,:\[\]%-]*)((?:/[^@/]*)?)", re.DOTALL)


def parse_address(setting: str, url: SecretStr) -> str:
    """Return an address that libpq reads. Raises `InvalidSetting`, which names the part that is wrong."""
    value = url.get_secret_value().strip()
    match = re.fullmatch(r"postgres(?:ql)?(?:\+\w+)?://(.*)", value, re.DOTALL)
    if match is None:
        raise InvalidSetting(f"{setting} is not an address of PostgreSQL: {FORM}.")
    address = "postgresql://" + _escape(match[1])
    place, mark, query = address.partition("?")
    if mark:
        address = place + _translate(setting, query)
    try:
        parts = conninfo_to_dict(address)
    except psycopg.ProgrammingError:
        raise InvalidSetting(f"{setting} is not an address of PostgreSQL: {FORM}.") from None
    ports = str(parts.get("port") or "").split(",")
    if not all(re.fullmatch(r"\d{0,5}", port) for port in ports):
        raise InvalidSetting(
            f"The port in {setting} is not a number: {FORM}, with `/`, `@`, `#`, `?` and `%` in a password as %2F, "
            "%40, %23, %3F and %25."
        )
    return address


def _escape(rest: str) -> str:
    """Escape what a password holds of the characters that mean something in an address."""
    userinfo, at, others = rest.partition("@")
    place, _, query = others.partition("?")
    names = {part.partition("=")[0] for part in query.split("&")} - {""}
    is_plain = re.fullmatch(r"(?:[^@/?#%]|%[0-9A-Fa-f]{2})*", userinfo)
    if not at or (is_plain and "@" not in place and ("@" not in query or names <= _known())):
        return rest
    loose = _LOOSE.match(rest)
    after = rest[loose.end() :] if loose else ""
    if loose is None or not (after == "" or after.startswith("?")):
        return rest
    user, password, host, database = loose.groups()
    return f"{user}:{quote(unquote(password), safe='')}@{host}{database}{after}"


def _known() -> frozenset[str]:
    """Return the names that may stand after the `?`."""
    libpq = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    return _FOREIGN | {"schema", "ssl"} | libpq


def _translate(setting: str, query: str) -> str:
    """Translate the parameters that other drivers know, and leave out those that say nothing to libpq."""
    known = _known()
    kept: list[tuple[str, str]] = []
    for part in filter(None, query.split("&")):
        name, equals, raw = part.partition("=")
        content = unquote(raw)
        if name == "schema" and re.fullmatch(r"[\w$-]+", content):
            if content != "public":
                kept.append(("options", f"-c search_path={content}"))
        elif name == "ssl":
            kept.append(("sslmode", "require" if content.lower() in ("true", "1", "require") else "prefer"))
        elif name in _FOREIGN:
            continue
        elif name in known and equals:
            kept.append((name, content))
        else:
            raise InvalidSetting(
                f"{setting} has something after the `?` that PostgreSQL does not know: take it out, or write "
                f"%3F, if it is a `?` of the password. The form is {FORM.removeprefix('write it as ')}."
            )
    return f"?{urlencode(kept, quote_via=quote)}" if kept else ""
