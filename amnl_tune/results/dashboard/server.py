"""Serves a WSGI application with waitress until it is told to stop."""

import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

from waitress import wasyncore

from amnl_tune.errors import ConfigurationError, StorageError
from amnl_tune.results.dashboard.connections import BoundedServer
from amnl_tune.results.dashboard.wsgi import WsgiApp

__all__ = ["is_local", "serve"]

THREADS = 6
LARGEST_BODY = 2**20
"""Bytes; the longest note is far below."""

POLL_SECONDS = 0.5
"""Between two looks at whether to stop."""


def is_local(host: str) -> bool:
    """Whether only this machine can reach what listens on `host`."""
    return host in {"localhost", "::1"} or host.startswith("127.")


def serve(
    app: WsgiApp,
    *,
    host: str,
    port: int,
    ready: Callable[[str], None],
    stop: threading.Event,
    prefix: str = "",
    trusted_proxy: str | None = None,
) -> None:
    """Serves until `stop` is set; requests under way are finished, for a few seconds.

    Args:
        app: to serve.
        host: name or address to listen on. port: 0 takes a free one.
        ready: called with the URL once it answers.
        stop: set by a signal or by another thread.
        prefix: of the paths, for the URL.
        trusted_proxy: address whose X-Forwarded-For, -Proto and -Host are believed; `*`: any.

    Raises:
        StorageError: the port is taken, or may not be listened on. ConfigurationError: no such address here.
    """
    listening = _listen(host, port)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a page asks for several things at once
    trust = {
        "trusted_proxy": trusted_proxy,
        "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"},
    }
    sockets: dict[int, Any] = {}
    server = BoundedServer(
        app,
        listening,
        sockets=sockets,
        threads=THREADS,
        health={"/healthz", f"{prefix}/healthz"},
        trusts=lambda address: trusted_proxy in {"*", address},
        ident=None,
        max_request_body_size=LARGEST_BODY,
        clear_untrusted_proxy_headers=True,
        **(trust if trusted_proxy else {}),
    )
    try:
        ready(f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}{prefix}/")
        while not stop.is_set():
            wasyncore.loop(timeout=POLL_SECONDS, use_poll=True, map=sockets, count=1)
    finally:
        server.end()
        wasyncore.close_all(sockets, ignore_all=True)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except socket.gaierror as error:
        raise ConfigurationError(
            f"`--host` must be a name or an address of this machine, but got {host!r}: {error.strerror}; "
            "use 127.0.0.1, or 0.0.0.0 for all"
        ) from error
    except OSError as error:
        reason = f"{error.strerror or error}".split(" (while", 1)[0]
        raise StorageError(
            f"`--host` and `--port` must be free to listen on, but {host} port {port} is not: {reason}; choose another"
        ) from error
