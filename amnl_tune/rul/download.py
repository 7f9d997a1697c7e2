"""One resumable HTTP download into a part file."""

from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from re import fullmatch
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from amnl_tune.files import writing

__all__ = ["LARGEST_ARCHIVE", "Opener", "Progress", "SourceError", "download", "forget"]

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
