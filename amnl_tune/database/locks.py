"""One process at a time makes tables or studies (optuna: 41 of 80 fail otherwise)."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.orm import Session

from amnl_tune.database.engine import Ledger
from amnl_tune.errors import StorageAwayError

logger = logging.getLogger(__name__)

ADVISORY_LOCK = 0x616D6E6C
"""'amnl'; advisory locks are told apart by number."""

POLL_SECONDS = 0.2
WORD_SECONDS = 10.0
LONGEST_WAIT = 300.0
"""Upgrading or restoring a large database takes minutes."""

HOLDER = text("""
select l.pid, a.usename, a.client_addr, extract(epoch from clock_timestamp() - a.xact_start) as seconds
from pg_locks l left join pg_stat_activity a using (pid)
where l.locktype = 'advisory' and l.granted and l.classid = 0 and l.objid = :key and l.objsubid = 1
  and l.database = (select oid from pg_database where datname = current_database())""")


@contextmanager
def exclusive(ledger: Ledger, *, longest: float = LONGEST_WAIT) -> Iterator[Session]:
    """A transaction that no other of these runs beside; it must use no second connection.

    PostgreSQL: the lock is the transaction's, so a pooler may give the session to others afterwards, and whoever waits
    asks again and keeps no connection meanwhile. SQLite: a transaction that writes is alone anyway.

    Args:
        ledger: the database.
        longest: seconds to wait for the others.

    Raises:
        StorageAwayError: another one has not ended so long; says who holds it.
    """
    began = told = time.monotonic()
    while True:
        with ledger.write() as session:
            sqlite = session.get_bind().dialect.name == "sqlite"
            if sqlite or session.scalar(text("select pg_try_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK}):
                yield session
                return
            holder = _holder(session)
        now = time.monotonic()
        if now - began >= longest:
            raise StorageAwayError(
                f"One process at a time makes tables or studies, but {holder} has been at it for more than "
                f"{longest:.0f} s; wait for it or end it (`select pg_terminate_backend(PID)`), then run the same "
                "command again"
            )
        if now - told >= WORD_SECONDS:
            logger.warning("waiting for another process that makes tables or studies: %s", holder)
            told = now
        time.sleep(POLL_SECONDS)


def _holder(session: Session) -> str:
    row = session.execute(HOLDER, {"key": ADVISORY_LOCK}).first()
    if row is None:
        return "another process"  # it has just ended
    since = "" if row.seconds is None else f", its transaction {row.seconds:.0f} s old"
    return f"PostgreSQL's process {row.pid} (role {row.usename or 'unknown'} from {row.client_addr or 'local'}{since})"
