"""The bytes of data files, of any size and from anywhere: at once or in blocks, compressed or not."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from amnl_tune.errors import DataError, DataNotFoundError
from amnl_tune.files import require_plain

__all__ = ["CORRECT", "LONGEST_LINE", "blocks_of", "content_of", "quoted", "unmarked"]

LARGEST = 2 * 2**30
"""Bytes of a file that is read at once; the largest published one has 10 million."""
SMALL, MOST_SHRUNK = 16 * 2**20, 100
LONGEST_LINE = 2**16
"""Bytes; also of blank lines in a row."""

CORRECT = "correct the file, or remove the engine"


def content_of(path: Path) -> bytes:
    """The bytes of a `.txt` file, or of a `.txt.gz` file uncompressed.

    Raises:
        DataNotFoundError: there is no such file.
        DataError: it cannot be read, or its compression is broken.
    """
    with _reading(path):
        if path.exists():
            require_plain(path.stat(), LARGEST)
        content = path.read_bytes()
        return _unfolded(content, path) if path.suffix == ".gz" else content


def _unfolded(content: bytes, path: Path) -> bytes:
    """Raises DataError for what has less in it than it unfolds to: numbers shrink to a fifth, hardly to a tenth."""
    most = min(LARGEST, max(SMALL, MOST_SHRUNK * len(content)))
    parts, length = list[bytes](), 0
    with gzip.open(BytesIO(content)) as file:
        while part := file.read(SMALL):
            parts.append(part)
            length += len(part)
            if length > most:
                raise DataError(
                    f"{path} must unfold to numbers, but its {len(content):,} bytes unfold to more than {most:,}; "
                    "replace it"
                )
    return b"".join(parts)


def blocks_of(path: Path, size: int) -> Iterator[bytes]:
    """The same bytes in blocks of whole lines, of about `size` bytes each, without ever holding more; raises as
    `content_of`, and DataError for a line that no engine has.
    """
    rest = b""
    with _reading(path), gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        while part := file.read(size):
            block = rest + part
            end = block.rfind(b"\n") + 1
            rest = block[end:]
            if len(rest) > LONGEST_LINE:
                raise DataError(
                    f"{path} must have lines of numbers, but one is longer than {LONGEST_LINE:,} bytes: "
                    f"{quoted(rest[:50])}; {CORRECT}"
                )
            if end:
                yield block[:end]
    if rest:
        yield rest


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} must be a whole gzip file, but: {error}; replace it") from error
    except FileNotFoundError as error:
        raise DataNotFoundError(f"{path} must exist, but it does not; check the path") from error
    except OSError as error:
        raise DataError(f"{path} must be readable, but: {error.strerror or error}; change its permissions") from error


def unmarked(content: bytes, path: Path) -> bytes:
    """Without the mark that editors put in front. Raises DataError for UTF-16."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path} must be plain text, but it is UTF-16; save it as UTF-8")
    return content.removeprefix(b"\xef\xbb\xbf")


def quoted(text: bytes) -> str:
    """As a message shows it, cut where it is long."""
    shown = text.decode("utf-8", errors="backslashreplace").strip()
    return repr(shown if len(shown) <= 40 else f"{shown[:40]}...")
