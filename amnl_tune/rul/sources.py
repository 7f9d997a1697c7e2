"""Where data sets come from: several folders in order, and the simulator for SIM1 and SIM6.

Training and test engines are read by separate methods into separate types; a search is given a `TrainingFleet`, in
which there is no test data at all.
"""

import difflib
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from amnl_tune.errors import DataError, DataNotFoundError
from amnl_tune.files import locate, locked
from amnl_tune.rul.layouts import CHECKSUMS, SUBSETS, file_names
from amnl_tune.rul.reading import content_of, parse_fleet, parse_rul
from amnl_tune.rul.simulator import SIMULATED, write_fleet

SIMULATION_SEED = 42
"""Of the SIM1 and SIM6 that everyone gets; other seeds are for tests."""

_TRAINING_FILE = re.compile(r"train_([A-Za-z0-9][A-Za-z0-9_-]*)\.txt(\.gz)?")


@dataclass(frozen=True)
class TrainingFleet:
    """Run-to-failure engines.

    Attributes:
        name: of the data set.
        sha256: of the uncompressed training file.
        frame: one row per engine and cycle, `cmapss.COLUMNS`; every engine's last row is its failure.
    """

    name: str
    sha256: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class TestFleet:
    """Engines that stop some time before failure.

    Attributes:
        name: of the data set.
        sha256: of the uncompressed test file followed by the uncompressed RUL file.
        frame: one row per engine and cycle, `cmapss.COLUMNS`.
        rul: (engines,) float32, true cycles left after each engine's last row, uncapped.
    """

    __test__ = False  # no test class: pytest must not collect it

    name: str
    sha256: str
    frame: pd.DataFrame
    rul: NDArray[np.float32]


@dataclass(frozen=True)
class FleetSource:
    """Data sets by name.

    Attributes:
        directories: looked at in order; the last one is the local store, where simulated fleets are written.
    """

    directories: tuple[Path, ...]

    def training(self, name: str) -> TrainingFleet:
        """Opens the training file, never the test or RUL file.

        Raises:
            DataNotFoundError: it is in none of the directories.
            DataError: it cannot be read, has a wrong checksum or breaks a rule of the format.
            StorageError: a simulated fleet cannot be written to the store.
        """
        path, content = self._read(name, file_names(name)[0])
        return TrainingFleet(name, hashlib.sha256(content).hexdigest(), parse_fleet(content, path))

    def test(self, name: str) -> TestFleet:
        """Opens the test file and the RUL file, never the training file. Raises as `training`."""
        _, test_name, rul_name = file_names(name)
        path, content = self._read(name, test_name)
        rul_path, rul_content = self._read(name, rul_name)
        frame = parse_fleet(content, path)
        rul = parse_rul(rul_content, rul_path, frame["unit"].nunique())
        return TestFleet(name, hashlib.sha256(content + rul_content).hexdigest(), frame, rul)

    def find(self, file_name: str) -> Path | None:
        """The first `file_name` or `file_name.gz` in the directories."""
        return locate(file_name, self.directories)

    def missing(self, name: str) -> list[str]:
        """Which of the data set's three files are nowhere; none of a simulated fleet, which is made when asked for."""
        return [] if name in SIMULATED else self._absent(name)

    def require(self, name: str) -> None:
        """Raises DataNotFoundError unless all files of the data set are there, or can be simulated."""
        for file_name in self.missing(name):
            raise self._not_found(name, file_name)

    def names(self) -> list[str]:
        """Data sets whose training file is in one of the directories, in alphabetical order."""
        found: set[str] = set()
        for directory in self.directories:
            try:
                matches = [_TRAINING_FILE.fullmatch(path.name) for path in directory.iterdir()]
            except OSError:
                continue  # listing is for suggestions; reading a data set names what cannot be read
            found.update(match[1] for match in matches if match)
        return sorted(found)

    def _absent(self, name: str) -> list[str]:
        return [file_name for file_name in file_names(name) if self.find(file_name) is None]

    def _read(self, name: str, file_name: str) -> tuple[Path, bytes]:
        """Path and uncompressed content, its checksum compared where it is known."""
        path = self.find(file_name)
        if path is None and name in SIMULATED:
            self._simulate(name)
            path = self.find(file_name)
        if path is None:
            raise self._not_found(name, file_name)
        content = content_of(path)
        found = hashlib.sha256(content).hexdigest()
        expected = CHECKSUMS.get(file_name, found)
        if found != expected:
            raise DataError(
                f"{path} must have SHA-256 {expected}, but got {found}; delete it and run `amnl-tune data fetch`"
            )
        return path, content

    def _simulate(self, name: str) -> None:
        store = self.directories[-1]
        with locked(store / f".{name}.lock"):
            if self._absent(name):  # not made by another process meanwhile
                write_fleet(name, store, SIMULATION_SEED)

    def _not_found(self, name: str, file_name: str) -> DataNotFoundError:
        looked_at = ", ".join(f"{d}" if d.is_dir() else f"{d} (no such folder)" for d in self.directories)
        known = {known.upper(): known for known in (*SUBSETS, *SIMULATED, *self.names())}
        near = [known[key] for key in difflib.get_close_matches(name.upper(), known, n=1) if known[key] != name]
        guess = f" (did you mean {near[0]}?)" if near else ""
        return DataNotFoundError(
            f"Data set {name!r} needs {file_name} or {file_name}.gz{guess}, but it is in none of: {looked_at}; run "
            "`amnl-tune data fetch`, or name its folder by `--data-dir` or AMNL_TUNE_DATA"
        )
