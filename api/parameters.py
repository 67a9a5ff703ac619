"""The parameters of a request, as they were sent."""

from urllib.parse import parse_qsl

from starlette.requests import Request

from core.characters import is_utf8
from core.errors import InvalidParameter

# More than any request needs, and few enough that nobody makes the parser work.
MOST_PARAMETERS = 100


def query_params(request: Request) -> list[tuple[str, str]]:
    """Read the parameters of a request without changing or leaving out any; raise `InvalidParameter` otherwise."""
    try:
        params = parse_qsl(
            request.scope["query_string"].decode("ascii"),
            keep_blank_values=True,
            errors="surrogateescape",
            max_num_fields=MOST_PARAMETERS,
        )
    except UnicodeDecodeError:
        raise InvalidParameter("The parameters are not UTF-8: percent-encode them as UTF-8.") from None
    except ValueError:
        raise InvalidParameter(
            f"There are more than {MOST_PARAMETERS} parameters: give each one once, with commas between values."
        ) from None
    for name, value in params:
        if not is_utf8(name):
            raise InvalidParameter("The name of a parameter is not UTF-8: percent-encode it as UTF-8.")
        if not is_utf8(value):
            raise InvalidParameter(f"{name} is not UTF-8: percent-encode it as UTF-8.")
    return params


def take_no_params(request: Request) -> None:
    """Raise `InvalidParameter` where a request has parameters: what would be ignored is refused."""
    if query_params(request):
        raise InvalidParameter("This address takes no parameters: remove them.")
