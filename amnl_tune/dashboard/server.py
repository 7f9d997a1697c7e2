"""Serves a WSGI application with waitress until it is told to stop, on connections that nobody can use up.

Requests have deadlines, new clients have room, /healthz has a lane of its own. waitress alone stops accepting at its
limit, and a client that sends a byte now and then never times out: a hundred half-open connections are then all that it
serves.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from amnl_tune.errors import ConfigurationError, StorageError

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
"""PEP 3333."""

HEAD_SECONDS = 10.0
"""From the first byte of a request to the end of its head."""

BODY_SECONDS = 30.0
"""From the first byte of a request to its last."""

IDLE_SECONDS = 60.0
"""Without a byte in either direction: between two requests, or in the middle of an answer."""

MOST_CONNECTIONS = 400
MOST_OF_A_CLIENT = 64
"""A browser opens six; a proxy in front, which is all clients at once, may have all of them."""

THREADS = 6
HEALTH_THREADS = 2
"""For /healthz alone, whatever the others are busy with."""

LARGEST_BODY = 2**20
"""Bytes; the longest note is far below."""

POLL_SECONDS = 0.5
"""Between two looks at whether to stop."""

BELIEVED = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}
"""Headers of a trusted proxy."""


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress is untyped
    """A connection that knows when the request that it is sending began."""

    began = 0.0

    def received(self, data: bytes) -> Any:
        before = self.request
        answer = super().received(data)
        if before is None or self.request is not before:  # the first bytes, or the next request of the same client
            self.began = time.time()
        return answer

    @property
    def waits(self) -> bool:
        """For its client: no request of it is being answered."""
        return not self.requests

    @property
    def since(self) -> float:
        """Of waiting for the rest of a request, or for any byte in either direction."""
        return float(self.last_activity if self.request is None else self.began)

    def is_late(self, now: float) -> bool:
        """Whether the client has had its time."""
        patience = IDLE_SECONDS
        if self.request is not None:
            patience = BODY_SECONDS if self.request.headers_finished else HEAD_SECONDS
        return self.waits and now - self.since > patience


class BoundedServer(TcpWSGIServer):  # type: ignore[misc]
    """waitress' server on a listening socket, with bounds.

    Where there are too many connections, the one that has waited longest for its client makes room for the new one: a
    whole request is answered, however many half ones there are.

    Args:
        app: to serve. listening: its socket. sockets: all that are open, by number; filled here.
        trusted_proxy: address whose connections are of many clients, and whose word on them is believed; `*`: any.
    """

    channel_class = _Channel

    def __init__(
        self, app: WsgiApp, listening: socket.socket, sockets: dict[int, Any], trusted_proxy: str | None
    ) -> None:
        self._trusted_proxy = trusted_proxy
        self._health_dispatcher = ThreadedTaskDispatcher()
        self._health_dispatcher.set_thread_count(HEALTH_THREADS)
        adjustments = Adjustments(
            sockets=[listening],
            threads=THREADS,
            connection_limit=2 * MOST_CONNECTIONS,  # never reached: at it, waitress would not accept any more
            cleanup_interval=1,
            max_request_header_size=2**16,
            max_request_body_size=LARGEST_BODY,
            ident=None,
            trusted_proxy=trusted_proxy,
            trusted_proxy_headers=BELIEVED if trusted_proxy else set(),
            clear_untrusted_proxy_headers=True,
        )
        sockinfo = (listening.family, listening.type, listening.proto, listening.getsockname())
        super().__init__(app, sockets, True, listening, adj=adjustments, bind_socket=False, sockinfo=sockinfo)

    def add_task(self, task: _Channel) -> None:
        """A request that is whole."""
        path = getattr(task.requests[0], "path", None)  # none where the head could not be read
        (self._health_dispatcher if path == "/healthz" else self.task_dispatcher).add_task(task)

    def handle_accept(self) -> None:
        known = set(self.active_channels)
        super().handle_accept()
        for name in set(self.active_channels) - known:
            self._make_room(self.active_channels[name])

    def maintenance(self, now: float) -> None:
        """Every second: those that are late are closed."""
        for channel in list(self.active_channels.values()):
            if channel.is_late(now):
                channel.will_close = True

    def end(self) -> None:
        """Finishes what is under way, for a few seconds, and closes everything."""
        for dispatcher in (self.task_dispatcher, self._health_dispatcher):
            dispatcher.shutdown()
        for channel in list(self.active_channels.values()):
            channel.handle_close()  # with its buffers, which may be files

    def _make_room(self, new: _Channel) -> None:
        crowd = list(self.active_channels.values())
        if len(crowd) <= MOST_CONNECTIONS:
            crowd = [channel for channel in crowd if channel.addr[0] == new.addr[0]]
            if len(crowd) <= MOST_OF_A_CLIENT or self._trusted_proxy in {"*", new.addr[0]}:
                return
        waiting = [channel for channel in crowd if channel.waits and channel is not new]
        min(waiting, key=lambda channel: channel.since, default=new).handle_close()


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
    trusted_proxy: str | None = None,
) -> None:
    """Serves until `stop` is set; requests under way are finished, for a few seconds.

    Args:
        app: to serve.
        host: name or address to listen on. port: 0 takes a free one.
        ready: called with the URL once it answers.
        stop: set by a signal or by another thread.
        trusted_proxy: address whose X-Forwarded-For, -Proto and -Host are believed; `*`: any.

    Raises:
        StorageError: the port is taken, or may not be listened on. ConfigurationError: no such address here.
    """
    listening = _listen(host, port)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a page asks for several things at once
    sockets: dict[int, Any] = {}
    server = BoundedServer(app, listening, sockets, trusted_proxy)
    try:
        ready(f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/")
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
