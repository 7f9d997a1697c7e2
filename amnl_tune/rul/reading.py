"""Data files of any size and from anywhere, compressed or not, read as engines in the C-MAPSS form.

A fleet file has one row per engine and cycle: unit, cycle, 3 operational settings, 21 sensors, separated by blanks
(NASA readme). Cycles count 1, 2, 3, ... within each engine and the rows of an engine stand together. Training engines
run to failure; test engines stop earlier, and a RUL file gives the cycles that each of them has left.
"""

import csv
import gzip
import math
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from amnl_tune.documents import brief
from amnl_tune.errors import DataError, DataNotFoundError
from amnl_tune.files import require_plain
from amnl_tune.rul.layouts import COLUMNS

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


_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_NUMERIC = b"0123456789+-.eE \t\r\n"
_LARGEST_WHOLE = 2.0**53


def engine_starts(unit: NDArray[np.int64]) -> NDArray[np.int64]:
    """(U,) rows at which an engine begins, from what tells each row's engine (N,): its number, or its first row."""
    return np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])


def parse_fleet(content: bytes, path: Path) -> pd.DataFrame:
    """The rows of a fleet file, validated: `COLUMNS`, unit and cycle int64, the rest float64.

    Args:
        content: uncompressed.
        path: named in errors, not opened.

    Raises:
        DataError: another number of columns than 26, a value that is no finite number, an engine whose rows do not
            stand together, cycles other than 1, 2, 3, ..., or no rows; names file and line.
    """
    parser = FleetParser(path)
    frame = parser.parse(content)
    parser.end()
    return frame


class FleetParser:
    """Parses a fleet file block by block, as strictly as at once.

    Args:
        path: named in errors, not opened.
        latest_start: the cycle at which an engine's record may begin at the latest.
    """

    def __init__(self, path: Path, latest_start: int = 1) -> None:
        self.path, self.latest_start = path, latest_start
        self.lines = 0
        """Read so far."""
        self.units: set[int] = set()
        self.unit, self.cycle = -1, 0
        self.blank, self.begun = b"", False

    def parse(self, block: bytes) -> pd.DataFrame:
        """A block of whole lines, uncompressed, as validated rows; raises as `parse_fleet`."""
        content = self.blank + (block if self.begun else unmarked(block, self.path))
        self.begun = True
        self.blank = content[len(content.rstrip()) :]  # only at the end of the file is it nothing
        if len(self.blank) > LONGEST_LINE:
            raise DataError(f"{self.path} must hold rows, but more than {LONGEST_LINE:,} bytes are blank; {CORRECT}")
        content = content.rstrip()
        frame = self._numbers(content) if content else pd.DataFrame(columns=COLUMNS)
        frame = frame.astype({"unit": np.int64, "cycle": np.int64})
        if len(frame):
            self._require_order(frame["unit"].to_numpy(), frame["cycle"].to_numpy())
            self.lines += len(frame)
            self.blank = self.blank.partition(b"\n")[2]  # the last row's own
        return frame

    def end(self) -> None:
        """Raises DataError: there was no row."""
        if not self.lines:
            raise DataError(f"{self.path} must hold at least one row, but it is empty; {CORRECT}")

    def _numbers(self, content: bytes) -> pd.DataFrame:
        if content.translate(None, delete=_NUMERIC):  # pandas would read a column of "True" as numbers
            raise self._malformed(content, "it holds other characters than those of numbers")
        try:
            # The default parser of floats rounds correctly; blank lines count, so that row i is line i + 1.
            frame = pd.read_csv(
                BytesIO(content),
                sep=r"\s+",
                header=None,
                dtype=np.float64,
                skip_blank_lines=False,
                quoting=csv.QUOTE_NONE,
            )
        except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
            raise self._malformed(content, str(error)) from error
        if frame.shape[1] != len(COLUMNS) or not np.isfinite(frame.to_numpy()).all():
            raise self._malformed(content, "it holds something else")
        frame.columns = pd.Index(COLUMNS)
        for column in ("unit", "cycle"):
            values = frame[column].to_numpy()
            wrong = np.flatnonzero((values != np.rint(values)) | (values < 0) | (values > _LARGEST_WHOLE))
            if len(wrong):
                rule = f"{column} must be a whole number, 0 or more, but got {values[wrong[0]]:g}"
                raise DataError(f"{self._line(wrong[0])}: {rule}; {CORRECT}")
        return frame

    def _malformed(self, content: bytes, otherwise: str) -> DataError:
        """The error for the first line that breaks a rule; looked for only when the fast parser found one."""
        for row, line in enumerate(content.splitlines()):
            fields = line.split()
            if len(fields) != len(COLUMNS):
                rule = f"a line must have {len(COLUMNS)} columns between blanks, but got {len(fields)}: {quoted(line)}"
                return DataError(f"{self._line(row)}: {rule}; {CORRECT}")
            for column, field in zip(COLUMNS, fields, strict=True):
                if not _is_finite(field):
                    rule = f"a value must be a finite number, but got {quoted(field)} in column {column}"
                    return DataError(f"{self._line(row)}: {rule}; {CORRECT}")
        rule = f"must hold rows of {len(COLUMNS)} numbers"
        return DataError(f"{self.path} {rule}, but: {brief(otherwise)}; {CORRECT}")

    def _require_order(self, unit: NDArray[np.int64], cycle: NDArray[np.int64]) -> None:
        starts = engine_starts(unit)
        continued = unit[0] == self.unit
        for row in starts[int(continued) :]:
            if unit[row] in self.units:
                before = unit[row - 1] if row else self.unit
                rule = (
                    f"the rows of an engine must stand together, but unit {unit[row]} comes again after unit {before}"
                )
                raise DataError(f"{self._line(row)}: {rule}; sort the rows by unit and cycle")
            self.units.add(int(unit[row]))
        lengths = np.diff(np.r_[starts, len(unit)])
        begins = np.where((cycle[starts] >= 1) & (cycle[starts] <= self.latest_start), cycle[starts], 1)
        if continued:
            begins[0] = self.cycle + 1
        expected = np.arange(len(unit)) - np.repeat(starts - begins, lengths)
        wrong = np.flatnonzero(cycle != expected)
        if len(wrong):
            row = wrong[0]
            got = f"{cycle[row]} where unit {unit[row]} must be at {expected[row]}"
            rule = f"cycles must count 1, 2, 3, ..., but got {got}"
            raise DataError(f"{self._line(row)}: {rule}; sort the rows, and let no cycle be missing")
        self.unit, self.cycle = int(unit[-1]), int(cycle[-1])

    def _line(self, row: int) -> str:
        """Where a row of the present block stands in the file."""
        return f"{self.path}, line {self.lines + row + 1}"


def parse_rul(content: bytes, path: Path, engines: int) -> NDArray[np.float32]:
    """(engines,) float32, cycles left after each test engine's last row; uncapped.

    Args:
        content: uncompressed, one number a line.
        path: named in errors, not opened.
        engines: how many test engines there are.

    Raises:
        DataError: a line that is not one finite number from 0 on, or another number of lines; names file and line.
    """
    lines = unmarked(content, path).rstrip().splitlines()
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if len(fields) != 1 or not _is_finite(fields[0]) or float(fields[0]) < 0:
            raise DataError(
                f"{path}, line {number}: a line must be one number of cycles, 0 or more, but got {quoted(line)}; "
                "correct the file"
            )
    if len(lines) != engines:
        raise DataError(
            f"{path} must have one line per test engine, but got {len(lines)} lines for {engines} engines; "
            "correct the file"
        )
    return np.array([float(line) for line in lines], dtype=np.float32)


def _is_finite(field: bytes) -> bool:
    return _NUMBER.fullmatch(field) is not None and math.isfinite(float(field))
