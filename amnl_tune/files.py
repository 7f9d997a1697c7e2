"""Finding files in several folders, and putting files into place as a whole or not at all."""

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from amnl_tune.errors import DataError, StorageError

__all__ = ["locate", "locked", "write_content", "writing"]


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


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns a disk that refuses into a StorageError that names `path`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise StorageError(
            f"{path} must be writable, but: {reason}; free space there, or choose another folder (AMNL_TUNE_HOME)"
        ) from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock file `path`, whose folder is made if need be; a second process waits.

    Raises:
        StorageError: the folder cannot be written.
    """
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def write_content(path: Path, content: bytes) -> None:
    """Writes a file such that readers see the old one or the whole new one, also when two processes write at once.

    Raises:
        StorageError: the folder cannot be written, or is full.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
