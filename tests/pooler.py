"""A real PgBouncer before a real PostgreSQL server, in transaction mode."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from bounded import ended
from sqlalchemy import make_url

__all__ = ["missing", "pooled", "transaction_pooler"]

SETTINGS = """
[databases]
* = host={socket} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 200
server_login_retry = 1
{user}
"""


def missing() -> str | None:
    """Why there can be no pooler on this machine; None if there can."""
    return None if shutil.which("pgbouncer") else "no pgbouncer on this machine (apt-get install pgbouncer)"


@contextmanager
def transaction_pooler(server: str, folder: Path, *, size: int) -> Iterator[int]:
    """Its port; every transaction gets one of `size` sessions of the server, whichever is free."""
    data = Path(str(make_url(server).query["host"]))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user = f"user = {data.owner()}" if os.geteuid() == 0 else ""  # it refuses to run as root
    settings = folder / "pgbouncer.ini"
    settings.write_text(SETTINGS.format(socket=data, port=port, size=size, user=user))
    with (folder / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen(["pgbouncer", "-q", str(settings)], stdout=log, stderr=log)
        try:
            _await(f"postgresql://postgres@127.0.0.1:{port}/postgres", process, folder / "pgbouncer.log")
            yield port
        finally:
            process.kill()  # asked to end, newer ones wait until their last client has gone
            ended(process)


def _await(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(url, prepare_threshold=None, connect_timeout=10).close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PgBouncer does not answer: {log.read_text()}") from None
            time.sleep(0.1)


def pooled(storage: str, port: int) -> str:
    """The same database, through the pooler."""
    return f"postgresql://postgres@127.0.0.1:{port}/{make_url(storage).database}"
