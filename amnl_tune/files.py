"""Finding files in several folders, putting files into place as a whole or not at all, JSON, and a hash of values."""

import errno
import hashlib
import json
import logging
import math
import os
import re
import shutil
import stat
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from errno import EISDIR
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from amnl_tune.errors import DataError, StorageError
from amnl_tune.settings import require_path
from amnl_tune.unfinished import unfinished

logger = logging.getLogger(__name__)

WORD_SECONDS = 10.0
LONGEST_WAIT = 1800.0
"""Another process may be downloading."""


def locate(file_name: str, directories: Sequence[Path]) -> Path | None:
    """The first `file_name` or `file_name.gz` in the directories.

    Raises:
        DataError: a directory may not be looked into.
    """
    for path in (directory / name for directory in directories for name in (file_name, f"{file_name}.gz")):
        try:
            if path.is_file():
                return path
        except OSError as error:
            reason = error.strerror or error
            raise DataError(f"{path} must be readable, but: {reason}; change its permissions") from error
    return None


def read_plain(path: Path, limit: int) -> bytes:
    """The content of a file of at most `limit` bytes.

    Raises:
        OSError: it cannot be read; it is a folder, a pipe or a device, which may never end; it is larger. Its
            `strerror` says which.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a pipe's opening waits
    require_plain(path.stat(), limit)
    with os.fdopen(os.open(path, flags), "rb") as file:
        found = os.fstat(file.fileno())  # what was looked at may have been replaced
        require_plain(found, limit)
        return file.read(found.st_size)


def require_plain(found: os.stat_result, limit: int) -> None:
    """Raises OSError, unless it is a regular file of at most `limit` bytes."""
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is a link, a pipe or a device, not a file")
    if found.st_size > limit:
        raise OSError(errno.EFBIG, f"it has {found.st_size:,} bytes, more than {limit:,}")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns a disk that refuses into a StorageError that names `path`. Raises ConfigurationError for a URL."""
    require_path(path)
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise StorageError(
            f"{path} must be writable, but: {reason}; free space there, or choose another folder"
        ) from error


def require_place(path: Path, *, folder: bool = False) -> None:
    """For what is made last of all: tries at the start whether it can be written there; the folder above it is made.

    Args:
        path: of a file. folder: of a folder.

    Raises:
        StorageError: the folder above cannot be written, or is full; a folder is where the file should go.
    """
    if not folder and _is_stream(path):
        return
    path = path.resolve()
    tried = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with writing(path):
        if not folder and path.is_dir():
            raise IsADirectoryError(EISDIR, "a folder is there")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            tried.write_bytes(b"tried")
        finally:
            tried.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, *, longest: float = LONGEST_WAIT) -> Iterator[None]:
    """Holds the lock file `path`, whose folder is made if need be; a second process waits, and says so.

    Args:
        path: the file.
        longest: seconds to wait.

    Raises:
        StorageError: the folder cannot be written, or another process holds the lock for too long.
    """
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()  # FileLock itself waits for ever where a file cannot be made
        lock = FileLock(path)
        _acquire(lock, path, longest)
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: BaseFileLock, path: Path, longest: float) -> None:
    began = time.monotonic()
    while True:
        left = longest - (time.monotonic() - began)
        try:
            lock.acquire(timeout=max(0.0, min(WORD_SECONDS, left)))
            return
        except Timeout:
            if left <= WORD_SECONDS:
                raise StorageError(
                    f"One process at a time writes {path.parent}, but another one has held {path} for more than "
                    f"{longest:.0f} s; end it (`fuser {path}` tells its number), then run the same command again"
                ) from None
            logger.warning("waiting for another process that holds %s", path)


def write_content(path: Path, content: bytes) -> None:
    """Writes a file such that readers see the old one or the whole new one, also when two processes write at once.

    Raises:
        StorageError: the folder cannot be written, or is full.
    """
    write_parts(path, (content,))


def write_parts(path: Path, parts: Iterable[bytes]) -> None:
    """As `write_content`, of parts that need not all be in memory; if one of them cannot be made there is no file.

    A link's file is written, and not the link replaced; so is a device or a pipe, `/dev/stdout` say.
    """
    with writing(path):
        if _is_stream(path):
            with path.open("wb") as stream:
                stream.writelines(parts)
            return
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(path) as (temporary, file):
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)


def _is_stream(path: Path) -> bool:
    """Whether a device or a pipe is there: nothing may take its place."""
    return path.exists() and not path.is_file() and not path.is_dir()


def replace_folder(folder: Path, content: Mapping[str, bytes]) -> None:
    """Makes or replaces a folder as a whole: a reader finds the old files or the new ones.

    Args:
        folder: its place.
        content: bytes by file name.

    Raises:
        StorageError: it cannot be written, or the disk is full; the old folder is still there.
    """
    folder = folder.resolve()
    temporary, replaced = (folder.with_name(f".{folder.name}.{word}.{uuid.uuid4().hex}") for word in ("new", "old"))
    with locked(folder.with_name(f".{folder.name}.lock")), writing(folder):
        _settle(folder)
        try:
            for name, data in content.items():
                write_content(temporary / name, data)
            if folder.exists():
                folder.rename(replaced)
            temporary.rename(folder)
        finally:
            if replaced.exists() and not folder.exists():
                replaced.rename(folder)
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(replaced, ignore_errors=True)


def _settle(folder: Path) -> None:
    """Ends what a killed process began: it held the lock, so nobody else is at it."""
    began = re.compile(rf"\.{re.escape(folder.name)}\.(new|old)\.[0-9a-f]{{32}}")
    for path in sorted(folder.parent.iterdir()):
        match = began.fullmatch(path.name)
        if match and match[1] == "old" and not folder.exists():
            path.rename(folder)
        elif match:
            shutil.rmtree(path, ignore_errors=True)


def canonical_hash(value: Any, *, sort_keys: bool = True, separators: tuple[str, str] | None = None) -> str:
    """SHA-256, in hexadecimal, of a value's JSON: equal values, equal hashes, on every machine.

    Args:
        value: JSON-serialisable.
        sort_keys, separators: as `json.dumps` has them. Databases and file names hold hashes of several forms, so each
            caller's form is for ever; a new one takes the defaults.
    """
    return hashlib.sha256(json.dumps(value, sort_keys=sort_keys, separators=separators).encode()).hexdigest()


COMPACT = (",", ":")
"""Separators of fingerprints."""


def json_text(value: Any) -> str:
    """JSON, in which a figure that is not finite is null: `Infinity` is none of its words."""
    return json.dumps(_finite(value), indent=2, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
