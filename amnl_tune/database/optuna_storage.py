"""Optuna's own storage on our database, and in our transactions."""

from collections.abc import Iterator
from contextlib import contextmanager

from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import ExceptionContext, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from amnl_tune.database.engine import Ledger, connect_options, guarded
from amnl_tune.database.failures import storage_failures
from amnl_tune.database.optuna_schema import require_this_optuna
from amnl_tune.database.urls import driver_url


def open_storage(ledger: Ledger) -> RDBStorage:
    """Optuna's storage on our database; it never creates tables (optuna: Traps). Build it after a fork, not before.

    Raises:
        StorageError: the database refuses, or another Optuna made the tables.
    """
    with ledger.read() as session:
        require_this_optuna(session.connection(), ledger.url)
    with storage_failures(ledger.url):
        storage = RDBStorage(
            driver_url(ledger.url).render_as_string(hide_password=False),
            engine_kwargs=connect_options(ledger.url, pooled=False),
            skip_table_creation=True,
            skip_compatibility_check=True,  # its own looks by a second connection while it holds the first
        )
        guarded(storage.engine, ledger.url)
        return storage


@contextmanager
def borrowed_storage(ledger: Ledger) -> Iterator[RDBStorage]:
    """Optuna's storage for as long as the block takes; its connections are given back."""
    storage = open_storage(ledger)
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


@contextmanager
def joined(storage: RDBStorage, session: Session) -> Iterator[None]:
    """What Optuna reads and writes in the block is part of the session's transaction: all of it is kept, or nothing.

    Optuna commits each parameter by itself; here its commits end savepoints (SQLAlchemy: "Joining a Session into an
    External Transaction"). So a worker that dies in the middle of an ask leaves nothing half asked.

    Raises:
        DBAPIError: the first failure of the database; Optuna would go on and fail again for another reason.
    """
    sessions, connection = storage.scoped_session, session.connection()
    failures: list[Exception] = []

    def note(context: ExceptionContext) -> None:
        failures.extend([context.sqlalchemy_exception] if context.sqlalchemy_exception else [])

    sessions.remove()
    sessions.configure(bind=connection, join_transaction_mode="create_savepoint")
    event.listen(connection.engine, "handle_error", note)
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        raise (failures or [error])[0] from error
    finally:
        event.remove(connection.engine, "handle_error", note)
        sessions.remove()
        sessions.configure(bind=storage.engine, join_transaction_mode="conditional_savepoint")
