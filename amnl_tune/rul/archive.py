"""NASA's C-MAPSS archive: download, unpack, verify, put into the store.

Only the twelve known files are taken out of an archive, by their base name, each compared with its SHA-256, so neither
a path inside a zip nor what a source sends can put anything else anywhere.
"""

import hashlib
import shutil
import zipfile
import zlib
from collections.abc import Sequence
from enum import StrEnum
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.request import urlopen

from amnl_tune.errors import DataError, DataNotFoundError
from amnl_tune.files import locate, locked, write_content
from amnl_tune.masking import masked, without_secrets
from amnl_tune.rul.cmapss import CHECKSUMS
from amnl_tune.rul.download import LARGEST_ARCHIVE, Opener, Progress, SourceError, download, forget
from amnl_tune.rul.reading import content_of

__all__ = ["SOURCES", "FileCheck", "FileState", "fetch", "verify"]

SOURCES = (
    "https://phm-datasets.s3.amazonaws.com/NASA/6.+Turbofan+Engine+Degradation+Simulation+Data+Set.zip",
    "https://data.nasa.gov/docs/legacy/CMAPSSData.zip",
)
"""The first holds the second in a folder."""

LARGEST_FILE = 32 * 2**20  # bytes; the largest of the twelve has 10 MiB
LARGEST_UNPACKED = 2 * LARGEST_ARCHIVE
DEEPEST = 2  # zips in zips in a zip


class FileState(StrEnum):
    """What `verify` finds."""

    OK = "ok"
    MISSING = "missing"
    WRONG_CHECKSUM = "wrong_checksum"
    UNREADABLE = "unreadable"


class FileCheck(NamedTuple):
    """One of the twelve files: where it was found first, and how it is."""

    file_name: str
    path: Path | None
    state: FileState


def fetch(
    store: Path, *, urls: Sequence[str] = SOURCES, progress: Progress | None = None, opener: Opener = urlopen
) -> list[str]:
    """Puts NASA's twelve files into the store; those already there and right are kept.

    The sources are tried in order until one delivers all twelve. Each has a part file in the store, so that a later
    call goes on where this one was interrupted. A second process waits, and then finds the files.

    Args:
        store: folder, made if need be.
        urls: of the archive, in either of its forms.
        progress: called with (bytes here, bytes in all or None).
        opener: opens a `urllib.request.Request`.

    Returns:
        Names of the files that were put there; empty if nothing was to be done.

    Raises:
        DataNotFoundError: no source delivers; names the reason of each.
        StorageError: the store cannot be written, or is full.
    """
    with locked(store / ".fetch.lock"):
        needed = [check.file_name for check in verify([store]) if check.state is not FileState.OK]
        reasons = []
        for url in urls if needed else ():
            try:
                files = _from_source(url, store, progress, opener)
            except SourceError as error:
                reasons.append(f"{masked(url)}: {without_secrets(str(error), url)}")
                continue
            for file_name in needed:
                write_content(store / file_name, files[file_name])
            shutil.rmtree(_parts(store), ignore_errors=True)
            return needed
    if needed:
        raise DataNotFoundError(
            f"One source must deliver the C-MAPSS archive, but got {'; '.join(reasons) or 'no source'}; run "
            f"`amnl-tune data fetch` again to go on where it stopped, or unpack the archive into {store} by hand"
        )
    return []


def verify(directories: Sequence[Path]) -> list[FileCheck]:
    """The twelve files, as a data set would find them in these directories."""
    return [_check(file_name, directories) for file_name in CHECKSUMS]


def _check(file_name: str, directories: Sequence[Path]) -> FileCheck:
    path = None
    try:
        path = locate(file_name, directories)
        if path is None:
            return FileCheck(file_name, None, FileState.MISSING)
        right = _is_right(file_name, content_of(path))
        return FileCheck(file_name, path, FileState.OK if right else FileState.WRONG_CHECKSUM)
    except DataError:
        return FileCheck(file_name, path, FileState.UNREADABLE)


def _parts(store: Path) -> Path:
    return store / ".fetch"


def _from_source(url: str, store: Path, progress: Progress | None, opener: Opener) -> dict[str, bytes]:
    part = _parts(store) / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.part"
    download(url, part, progress=progress, opener=opener)
    try:
        return _unpack(part)
    except SourceError:
        forget(part)  # whole, but not what it should be: going on would not mend it
        raise


def _unpack(archive: Path) -> dict[str, bytes]:
    """The twelve files' verified contents by name."""
    unpacking = _Unpacking()
    try:
        unpacking.collect(archive, depth=0)
    # RuntimeError: encrypted; NotImplementedError: a compression that zipfile does not know
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise SourceError(f"not a readable zip archive ({error})") from error
    found = unpacking.found
    for file_name, expected in CHECKSUMS.items():
        if file_name not in found:
            raise SourceError(f"the archive lacks {file_name}")
        if not _is_right(file_name, found[file_name]):
            got = hashlib.sha256(found[file_name]).hexdigest()
            raise SourceError(f"{file_name} in the archive must have SHA-256 {expected}, but has {got}")
    return found


class _Unpacking:
    """Takes our files out of an archive, and out of the archives in it; nothing is ever written by an entry's name."""

    def __init__(self) -> None:
        self.found: dict[str, bytes] = {}
        self.left = LARGEST_UNPACKED

    def collect(self, file: Path | BytesIO, depth: int) -> None:
        """Raises SourceError where there is more in it than the twelve files could be."""
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                file_name = PurePosixPath(entry.filename.replace("\\", "/")).name
                if file_name in CHECKSUMS:
                    content = self._read(archive, entry, LARGEST_FILE)
                    if file_name not in self.found or _is_right(file_name, content):
                        self.found[file_name] = content
                elif file_name.lower().endswith(".zip") and not file_name.startswith("._") and depth < DEEPEST:
                    self.collect(BytesIO(self._read(archive, entry, LARGEST_ARCHIVE)), depth + 1)

    def _read(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> bytes:
        with archive.open(entry) as file:
            content = file.read(limit + 1)
        self.left -= len(content)
        if len(content) > limit or self.left < 0:
            most = limit if len(content) > limit else LARGEST_UNPACKED
            raise SourceError(f"{entry.filename} in the archive has more than {most} bytes")
        return content


def _is_right(file_name: str, content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == CHECKSUMS[file_name]
