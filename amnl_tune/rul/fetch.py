"""NASA's C-MAPSS archive: download, which a next attempt goes on with, unpack, verify, put into the store.

Only the twelve known files are taken out of an archive, by their base name, each compared with its SHA-256, so neither
a path inside a zip nor what a source sends can put anything else anywhere.
"""

import hashlib
import shutil
import zipfile
import zlib
from collections.abc import Callable, Sequence
from enum import StrEnum
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from pathlib import Path, PurePosixPath
from re import fullmatch
from typing import NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from amnl_tune.errors import DataError, DataNotFoundError
from amnl_tune.files import locate, locked, write_content, writing
from amnl_tune.masking import masked, without_secrets
from amnl_tune.rul.layouts import CHECKSUMS
from amnl_tune.rul.reading import content_of

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are here, and how many there will be where the server tells."""

Opener = Callable[..., HTTPResponse]
"""As `urllib.request.urlopen(request, timeout=seconds)`."""

LARGEST_ARCHIVE = 128 * 2**20
"""Bytes; NASA's archive has a tenth of it."""

CHUNK = 2**16
TIMEOUT = 30.0  # seconds without a byte


class SourceError(Exception):
    """One source does not deliver; the next may. Never leaves `archive.fetch`."""


def download(url: str, part: Path, *, progress: Progress | None = None, opener: Opener = urlopen) -> None:
    """Brings `part` to the whole content of `url`, going on where an earlier attempt stopped.

    A server that ignores `Range`, or has another file by now (If-Range with its ETag or Last-Modified), is asked from
    the first byte. What has arrived stays in `part` when this raises.

    Raises:
        SourceError: unreachable, an HTTP error, cut mid-way, or larger than any archive of ours.
        StorageError: `part` cannot be written.
    """
    with writing(part):
        part.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(2):
        if _attempt(url, part, progress or (lambda done, total: None), opener):
            return
        forget(part)
    raise SourceError("the server sends other bytes than those asked for")


def forget(part: Path) -> None:
    """Removes a part, so that the next download starts at the first byte."""
    with writing(part):
        part.unlink(missing_ok=True)
        _validator_path(part).unlink(missing_ok=True)


def _attempt(url: str, part: Path, progress: Progress, opener: Opener) -> bool:
    """False if `part` does not fit what the server has, so that a fresh start may help."""
    have = part.stat().st_size if part.exists() else 0
    validator = _validator_path(part).read_text() if have and _validator_path(part).exists() else ""
    try:
        with opener(_request(url, have, validator), timeout=TIMEOUT) as response:
            if response.status != 206:  # all of it; None for file: URLs
                _keep_validator(part, response)
                _receive(response, part, 0, _number(response.headers.get("Content-Length")), progress)
                return True
            first, total = _content_range(response.headers.get("Content-Range"))
            if first != have or (validator and _validator(response) not in ("", validator)):
                return False
            _receive(response, part, have, total, progress)
            return True
    except HTTPError as error:
        with error:
            if error.code == 416 and have:  # nothing after `have`: complete, or not the file that it was
                return _content_range(error.headers.get("Content-Range"))[1] == have
            raise SourceError(f"HTTP status {error.code} {error.reason}".strip()) from error
    except URLError as error:
        raise SourceError(str(error.reason)) from error
    except (OSError, HTTPException, ValueError) as error:
        raise SourceError(str(error) or type(error).__name__) from error


def _request(url: str, have: int, validator: str) -> Request:
    request = Request(url, headers={"User-Agent": "amnl-tune", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
        if validator:
            request.add_header("If-Range", validator)
    return request


def _receive(response: HTTPResponse, part: Path, offset: int, total: int | None, progress: Progress) -> None:
    done = offset
    progress(done, total)
    with writing(part):
        file = part.open("ab" if offset else "wb")
    with file:
        while chunk := response.read(CHUNK):
            done += len(chunk)
            if max(done, total or 0) > LARGEST_ARCHIVE:
                raise SourceError(f"more than {LARGEST_ARCHIVE} bytes")
            with writing(part):
                file.write(chunk)
                file.flush()
            progress(done, total)
    if total is not None and done != total:  # http.client ends quietly where a connection is cut
        raise SourceError(f"cut after {done} of {total} bytes")


def _keep_validator(part: Path, response: HTTPResponse) -> None:
    with writing(part):
        part.unlink(missing_ok=True)
        _validator_path(part).write_text(_validator(response))


def _validator(response: HTTPResponse) -> str:
    """A strong ETag, or else the date: it tells next time whether the file is still the same (RFC 9110, 13.1.5)."""
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")


def _validator_path(part: Path) -> Path:
    return part.with_suffix(".validator")


def _content_range(header: str | None) -> tuple[int | None, int | None]:
    """(first byte, total) of `bytes 5-9/10`, `bytes 5-9/*` or `bytes */10`; None for what it does not tell."""
    match = fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", (header or "").strip())
    return (_number(match[1]), _number(match[2])) if match else (None, None)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


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
