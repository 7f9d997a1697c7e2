"""Storage URLs: which there are, and what the drivers are told of them."""

from pathlib import Path
from urllib.parse import unquote

import psycopg
import sqlalchemy.exc
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, make_url

from amnl_tune.errors import StorageError
from amnl_tune.masking import has_stray_at, masked, without_secrets

REMEDY = "use sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE, special characters percent-encoded"


def parse_url(storage: str) -> URL:
    """A storage URL of a kind we know, with its driver.

    Raises:
        StorageError: not a URL, or a database we do not support.
    """
    try:
        url = make_url(storage)
    except (sqlalchemy.exc.ArgumentError, ValueError):  # SQLAlchemy lets a port that is no number through to `int`
        raise StorageError(f"`--storage` must be a database URL, but got {masked(storage)!r}; {REMEDY}") from None
    if has_stray_at(storage) or "@" in (url.host or ""):
        raise StorageError(
            f"`--storage` must have one `@`, before the host, but got {masked(storage)!r}; write an `@` of the "
            "password as %40"
        )
    if "\0" in unquote(storage):  # the client library would take what is before it
        raise StorageError(f"`--storage` must have no zero byte, but got {masked(storage)!r}; {REMEDY}")
    kind = url.get_backend_name()
    if kind == "sqlite" and url.database and url.database != ":memory:":
        return _sqlite(url, storage)
    if kind in {"postgresql", "postgres"} and (url.host or "host" in url.query):
        return _postgresql(url.set(drivername="postgresql+psycopg"), storage)
    raise StorageError(
        f"`--storage` must name an SQLite file or a PostgreSQL server, but got {masked(storage)!r}; {REMEDY}"
    )


def _sqlite(url: URL, storage: str) -> URL:
    """Its file, `~` resolved; what would silently be another file is refused."""
    if url.host or url.username or url.query or str(url.database).startswith("file:"):
        raise StorageError(
            f"An SQLite URL must be sqlite:///FILE without host and options, but got {masked(storage)!r}; write three "
            "slashes, and `?` in a file's name as %3F"
        )
    try:
        file = Path(str(url.database)).expanduser()
    except RuntimeError as error:
        raise StorageError(f"`--storage` names {masked(storage)!r}, but: {error}; write the folder out") from error
    return URL.create("sqlite", database=str(file))


def _postgresql(url: URL, storage: str) -> URL:
    try:
        conninfo(url)
    except (psycopg.ProgrammingError, sqlalchemy.exc.ArgumentError) as error:  # also ports in the query
        raise StorageError(
            f"`--storage` must have options that PostgreSQL's client knows, but got {masked(storage)!r}: "
            f"{without_secrets(str(error).strip(), storage)}; mend what follows `?`"
        ) from None
    if url.port is not None and not 0 < url.port < 2**16:
        raise StorageError(
            f"A server's port must be from 1 to 65535, but `--storage` is {masked(storage)!r}; mend the URL"
        )
    return url


def shown_url(url: URL) -> str:
    """The URL as it may be told: without its secrets."""
    return masked(url.render_as_string(hide_password=False))


def conninfo(url: URL) -> str:
    """A PostgreSQL URL in the client library's own form. Raises psycopg.ProgrammingError: options it does not know."""
    _, options = url.get_dialect()().create_connect_args(url)
    return make_conninfo("", **options)


def database_file(url: URL) -> Path:
    """Of an SQLite URL."""
    return Path(str(url.database))


def driver_url(url: URL) -> URL:
    """What an engine is made of: an SQLite file is opened, never made, whatever characters its name has."""
    if url.get_backend_name() != "sqlite":
        return url
    return URL.create("sqlite", database=database_file(url).absolute().as_uri(), query={"mode": "rw", "uri": "true"})
