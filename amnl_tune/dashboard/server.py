"""Serves a WSGI application with waitress until it is told to stop, on connections that nobody can use up.

Requests have deadlines, new clients have room, /healthz has a lane of its own. waitress alone stops accepting at its
limit, and a client that sends a byte now and then never times out: a hundred half-open connections are then all that it
serves.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from amnl_tune.dashboard.http import WsgiApp
from amnl_tune.errors import ConfigurationError, StorageError

HEAD_SECONDS = 10.0
"""From the first byte of a request to the end of its head."""

BODY_SECONDS = 30.0
"""From the first byte of a request to its last."""

IDLE_SECONDS = 60.0
"""Without a byte in either direction: between two requests, or in the middle of an answer."""

MOST_CONNECTIONS = 400
MOST_OF_A_CLIENT = 64
"""A browser opens six; a proxy in front, which is all clients at once, may have all of them."""

HEALTH_THREADS = 2


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress is untyped
    """A connection that knows since when it waits for its client."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self.since = time.monotonic()
        super().__init__(*given, **named)

    def received(self, data: bytes) -> Any:
        before = self.request
        if before is None:
            self.since = time.monotonic()
        answer = super().received(data)
        if self.request is not before and before is not None:
            self.since = time.monotonic()  # the next request of the same client
        return answer

    def service(self) -> None:
        super().service()
        self.since = time.monotonic()

    def handle_write(self) -> None:
        before = self.total_outbufs_len
        super().handle_write()
        if self.total_outbufs_len < before:
            self.since = time.monotonic()

    @property
    def waits(self) -> bool:
        """For its client: no request of it is being answered."""
        return not self.requests

    def is_late(self, now: float) -> bool:
        """Whether the client has had its time."""
        request = self.request
        if request is None:
            return self.waits and now - self.since > IDLE_SECONDS
        return self.waits and now - self.since > (BODY_SECONDS if request.headers_finished else HEAD_SECONDS)


class BoundedServer(TcpWSGIServer):  # type: ignore[misc]
    """waitress' server on a listening socket, with bounds.

    Where there are too many connections, the one that has waited longest for its client makes room for the new one: a
    whole request is answered, however many half ones there are.

    Args:
        application: to serve. listening: socket. threads: of the application.
        health: paths of requests that get a thread of their own, whatever the others are busy with.
        trusts: whether connections of an address are a proxy's, of many clients.
    """

    channel_class = _Channel

    def __init__(
        self,
        application: Any,
        listening: Any,
        *,
        sockets: dict[int, Any],
        threads: int,
        health: Collection[str],
        trusts: Callable[[str], bool],
        **options: Any,
    ) -> None:
        self._health, self._trusts = frozenset(health), trusts
        self._lane = ThreadedTaskDispatcher()
        self._lane.set_thread_count(HEALTH_THREADS)
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.set_thread_count(threads)
        adjustments = Adjustments(
            sockets=[listening],
            threads=threads,
            connection_limit=2 * MOST_CONNECTIONS,  # never reached: at it, waitress would not accept any more
            cleanup_interval=1,
            max_request_header_size=2**16,
            **options,
        )
        super().__init__(
            application,
            sockets,
            True,
            listening,
            dispatcher=dispatcher,
            adj=adjustments,
            bind_socket=False,
            sockinfo=(listening.family, listening.type, listening.proto, listening.getsockname()),
        )

    def add_task(self, task: _Channel) -> None:
        """A request that is whole."""
        path = getattr(task.requests[0], "path", None)  # none where the head could not be read
        lane = self._lane if path in self._health else self.task_dispatcher
        lane.add_task(task)

    def handle_accept(self) -> None:
        known = set(self.active_channels)
        super().handle_accept()
        for name in set(self.active_channels) - known:
            self._make_room(self.active_channels[name])

    def maintenance(self, _: float) -> None:
        """Every second: those that are late are closed."""
        now = time.monotonic()
        for channel in list(self.active_channels.values()):
            if channel.is_late(now):
                channel.will_close = True

    def end(self) -> None:
        """Finishes what is under way, for a few seconds, and closes everything."""
        for dispatcher in (self.task_dispatcher, self._lane):
            dispatcher.shutdown()
        for channel in list(self.active_channels.values()):
            channel.handle_close()  # with its buffers, which may be files

    def _make_room(self, new: _Channel) -> None:
        everybody = list(self.active_channels.values())
        client = new.addr[0]
        crowd = everybody
        if len(everybody) <= MOST_CONNECTIONS:
            crowd = [] if self._trusts(client) else [channel for channel in everybody if channel.addr[0] == client]
            if len(crowd) <= MOST_OF_A_CLIENT:
                return
        waiting = [channel for channel in crowd if channel.waits and channel is not new]
        min(waiting, key=lambda channel: channel.since, default=new).handle_close()


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
