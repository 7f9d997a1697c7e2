"""The outermost layer: where the dashboard begins in the URL, and headers that every answer carries."""

import re
from collections.abc import Iterable
from typing import Any

from amnl_tune.errors import ConfigurationError
from amnl_tune.results.dashboard.wsgi import Environ, StartResponse, WsgiApp, redirected

__all__ = ["checked_prefix", "mounted"]

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # not no-referrer: forms would come with `Origin: null`
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Where the answer has none of that name."""

STATIC = {"Cache-Control": "private, max-age=3600"}


def checked_prefix(prefix: str) -> str:
    """The prefix without a slash at its end; "" for none.

    Raises:
        ConfigurationError: it is no plain path.
    """
    plain = prefix.rstrip("/")
    if plain and not re.fullmatch(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+", plain):
        raise ConfigurationError(
            f"`--prefix` must be a path of letters, digits, - and _, but got {prefix!r}; write it like /amnl"
        )
    return plain


def mounted(app: WsgiApp, prefix: str) -> WsgiApp:
    """The application under `prefix`. A proxy may leave the prefix in what it passes on, or take it off."""

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if prefix and (path == prefix or path.startswith(f"{prefix}/")):
            path = path[len(prefix) :]
        environ = environ | {"SCRIPT_NAME": prefix, "PATH_INFO": path or "/"}
        for name in ("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST"):
            environ.pop(name, None)  # the server has used them where it trusts the proxy
        defaults = HEADERS | (STATIC if path.startswith("/static/") else {})

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            given = {name.lower() for name, _ in headers}
            return start_response(
                status, headers + [pair for pair in defaults.items() if pair[0].lower() not in given], *rest
            )

        if path in {"", "/"} and not environ.get("QUERY_STRING"):
            return redirected(environ, "/dashboard")(environ, start)
        return app(environ, start)

    return application
