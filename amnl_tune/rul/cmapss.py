"""The C-MAPSS file format: names, checksums, reading, parsing.

A fleet file has one row per engine and cycle: unit, cycle, 3 operational settings, 21 sensors, separated by blanks
(NASA readme). Cycles count 1, 2, 3, ... within each engine and the rows of an engine stand together. Training engines
run to failure; test engines stop earlier, and a RUL file gives the cycles that each of them has left.
"""

import csv
import math
import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from amnl_tune.documents import brief
from amnl_tune.errors import DataError
from amnl_tune.rul.reading import CORRECT, LONGEST_LINE, blocks_of, content_of, quoted, unmarked

__all__ = [
    "CHECKSUMS",
    "COLUMNS",
    "CONDITIONS",
    "FEATURES",
    "SENSORS",
    "SETTINGS",
    "SUBSETS",
    "FleetParser",
    "blocks_of",
    "content_of",
    "engine_starts",
    "file_names",
    "parse_fleet",
    "parse_rul",
]

SETTINGS = ("setting_1", "setting_2", "setting_3")
"""Altitude (thousand feet), Mach number, throttle resolver angle."""

COLUMNS = ("unit", "cycle", *SETTINGS, *(f"sensor_{number}" for number in range(1, 22)))

SENSORS = tuple(f"sensor_{number}" for number in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21))
"""The 14 that wear moves; the other 7 say nothing within an operating condition (amnl)."""

FEATURES = (*SETTINGS, *SENSORS)
"""What a network sees of a row: 17 values."""

SUBSETS = ("FD001", "FD002", "FD003", "FD004")

CONDITIONS: Mapping[str, int] = MappingProxyType({"FD001": 1, "FD002": 6, "FD003": 1, "FD004": 6, "SIM1": 1, "SIM6": 6})
"""Operating conditions where they are known (NASA readme)."""

CHECKSUMS: Mapping[str, str] = MappingProxyType(
    {
        "train_FD001.txt": "963b5e22825b34d8b21c69e1aeb4af3e647050eb672ee8834ba4b5d91d2de0f8",
        "train_FD002.txt": "dac6c4dbc4e7c1bdeb5747da3d313d05c395bb99801b44a002b26a2ba13d788f",
        "train_FD003.txt": "2abbe9968cc5e8eb091980f51b20f62bb4127336d3482cb52071d53bf23329e2",
        "train_FD004.txt": "27ef6160b6a1dcb2613a88de9c239f763b223f02cdc41dc5cdedc5dc189b6218",
        "test_FD001.txt": "3cda7109ce17bafb5443f2ac926cfcf88154b941b8c4cf95eb55d1ddd6f52851",
        "test_FD002.txt": "de7b5bf7e998a985c378488480528b7c02cff1406a46740def362dda8d9b4e02",
        "test_FD003.txt": "299babd63c8d987cef079c4a425429f33b3a34797d803bbe2ad48c29dbd0d790",
        "test_FD004.txt": "1dc675fff0624bac10786927c6715b37d1297657137400d2b1a3138d777a3ba5",
        "RUL_FD001.txt": "a19c8ec94931949d0485bdc35118206e9c81c4547b422efb9cf86f4ceddbceca",
        "RUL_FD002.txt": "c851dd96a6ea6998d3c4a8f834d3c8013aa90e93a6ed950dc826ad0655b2906b",
        "RUL_FD003.txt": "df1e0566306b174a2de41c67a3e7a51877889598b78643fc3e5685259091b7cb",
        "RUL_FD004.txt": "196b836b85a95ac7fdbbf29c5fdf1657382eafa445644d114ffaaf50dc2975e1",
    }
)
"""SHA-256 of NASA's twelve data files, uncompressed."""

_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_NUMERIC = b"0123456789+-.eE \t\r\n"
_LARGEST_WHOLE = 2.0**53


def file_names(name: str) -> tuple[str, str, str]:
    """Training, test and RUL file of a data set."""
    return f"train_{name}.txt", f"test_{name}.txt", f"RUL_{name}.txt"


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
