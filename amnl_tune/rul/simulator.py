"""A fleet simulator: run-to-failure engines in C-MAPSS form, for when there is no data, and for tests.

Notation: engine e with life L cycles, cycle t = 1..L, operating condition c(t), fault mode f, sensor j.

    L      = 130 + 220 B,  B ~ Beta(2, 3)                      life in cycles, within 130..350
    D      ~ U(110, 150), at most 0.85 L                       cycles from the fault's onset to failure
    s(t)   = max(0, (t - (L - D)) / D)                         0 while healthy, 1 at failure
    w(t)   = w0 + (1 - w0) (exp(a s) - 1) / (exp(a) - 1)       wear; w0 ~ U(0, 0.12), a ~ U(2.5, 3.5)
    x_j(t) = level_jc (1 + (shift_jf w(t) + noise_j n_j(t)) / level_j0),  n_j(t) ~ N(0, 1)

so wear begins unknown but small, stays put, and then accelerates; failure is w = 1. `SIM1` has the condition of sea
level alone; in `SIM6` each cycle draws one of six conditions anew, as in FD002, whose levels lie many times farther
apart than wear moves a sensor, and each engine has one of two fault modes, which move some sensors in opposite
directions. Levels, shifts, noise and decimals resemble FD001..FD003 rounded; the 7 uninformative sensors have neither
shift nor noise. A test engine ends at a cycle ~ U{20, ..., L - 1}; its true RUL is L minus that cycle.
"""

import gzip
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from amnl_tune.errors import ConfigurationError
from amnl_tune.files import write_content
from amnl_tune.rul.layouts import COLUMNS, CONDITIONS, file_names

Array = NDArray[np.float64]


class _Recipe(NamedTuple):
    training_engines: int
    test_engines: int
    fault_modes: int
    stream: int  # keeps the fleets' random numbers apart


SIMULATED = MappingProxyType({"SIM1": _Recipe(100, 100, 1, 1), "SIM6": _Recipe(120, 100, 2, 6)})
"""The simulated fleets, by name."""

SHORTEST_TEST_ENGINE = 20
"""In cycles; the shortest test engines of C-MAPSS have 19 to 38."""

# One row per condition: altitude (thousand feet), Mach number, throttle resolver angle.
_SETTINGS = np.array(
    [[0, 0, 100], [10, 0.25, 100], [20, 0.7, 100], [25, 0.62, 60], [35, 0.84, 100], [42, 0.84, 100]], dtype=np.float64
)
_JITTER = np.array([0.0022, 0.0006, 0.0])

# level_jc: one row per condition, sensors 1..21.
# fmt: off
_LEVELS = np.array([
    [518.67, 642.3, 1587.0, 1403.0, 14.62, 21.61, 554.0, 2388.05, 9057.0, 1.30, 47.35, 521.9, 2388.05, 8138.0, 8.418,
     0.03, 392.3, 2388, 100.00, 38.93, 23.36],
    [489.05, 604.6, 1498.5, 1305.5, 10.52, 15.49, 394.8, 2318.90, 8780.0, 1.26, 45.30, 371.8, 2388.11, 8132.0, 8.640,
     0.03, 368.8, 2319, 100.00, 28.61, 17.17],
    [491.19, 607.2, 1482.0, 1247.0, 9.35, 13.66, 334.9, 2323.96, 8724.0, 1.08, 44.27, 315.2, 2388.10, 8062.0, 9.206,
     0.02, 364.5, 2324, 100.00, 24.53, 14.72],
    [462.54, 536.5, 1259.5, 1045.0, 7.05, 9.03, 175.7, 1915.35, 8010.0, 0.94, 36.64, 164.8, 2028.25, 7874.0, 10.883,
     0.02, 306.6, 1915, 84.93, 14.31, 8.59],
    [449.44, 555.4, 1363.5, 1126.0, 5.48, 8.00, 194.7, 2222.97, 8350.0, 1.02, 41.80, 183.3, 2388.09, 8068.0, 9.305,
     0.02, 333.4, 2223, 100.00, 14.88, 8.93],
    [445.00, 549.4, 1351.5, 1122.0, 3.91, 5.72, 138.9, 2211.90, 8322.0, 1.02, 41.97, 130.8, 2388.00, 8085.0, 9.348,
     0.02, 330.3, 2212, 100.00, 10.63, 6.38],
])
# shift_jf: one row per fault mode (high-pressure compressor, fan), at sea level, from no wear to failure.
_SHIFTS = np.array([
    [0, 1.8, 19.0, 33.0, 0, 0, -3.4, 0.24, 55.0, 0, 1.05, -2.8, 0.24, 38.0, 0.135, 0, 5.0, 0, 0, -0.65, -0.39],
    [0, 1.5, 22.0, 34.0, 0, 0, 4.4, 0.45, 75.0, 0, 1.15, 3.9, 0.45, 55.0, -0.130, 0, 5.8, 0, 0, 0.55, 0.33],
])
_NOISE = np.array(
    [0, 0.33, 4.4, 5.6, 0, 0, 0.55, 0.05, 7.5, 0, 0.16, 0.46, 0.05, 6.5, 0.024, 0, 1.05, 0, 0, 0.12, 0.07]
)
# fmt: on
_DECIMALS = dict(zip(COLUMNS, [0, 0, 4, 4, 1, *[2] * 14, 4, 2, 0, 0, 2, 2, 4], strict=True))


@dataclass(frozen=True)
class SimulatedFleet:
    """What the three files of a data set hold.

    Attributes:
        train: rows of the run-to-failure engines, `cmapss.COLUMNS`, exactly as parsed from the file.
        test: rows of the truncated engines.
        rul: (test engines,) float32, cycles left after each test engine's last row.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    rul: NDArray[np.float32]


def simulate(name: str, seed: int = 42, *, engines: int | None = None) -> SimulatedFleet:
    """The same fleet for the same arguments.

    Args:
        name: SIM1 or SIM6.
        seed: of all that is random.
        engines: training engines, and as many test engines; None: the fleet's own numbers.

    Raises:
        ConfigurationError: unknown name, or no engine.
    """
    if name not in SIMULATED:
        raise ConfigurationError(f"A simulated fleet must be {' or '.join(SIMULATED)}, but got {name!r}; choose one")
    if engines is not None and engines < 1:
        raise ConfigurationError(f"`engines` must be at least 1, but got {engines}; raise it")
    recipe = SIMULATED[name]
    random = np.random.default_rng([seed, recipe.stream])
    training = [_run_to_failure(random, name) for _ in range(engines or recipe.training_engines)]
    whole = [_run_to_failure(random, name) for _ in range(engines or recipe.test_engines)]
    last = [int(random.integers(SHORTEST_TEST_ENGINE, len(rows))) for rows in whole]
    test = [rows[:cycle] for rows, cycle in zip(whole, last, strict=True)]
    rul = np.array([len(rows) - cycle for rows, cycle in zip(whole, last, strict=True)], dtype=np.float32)
    return SimulatedFleet(_frame(training), _frame(test), rul)


def write_fleet(name: str, directory: Path, seed: int, engines: int | None = None) -> None:
    """Writes train_NAME.txt.gz, test_NAME.txt.gz and RUL_NAME.txt.gz; equal arguments give equal bytes.

    Raises:
        ConfigurationError: as `simulate`.
        StorageError: the folder cannot be written, or is full.
    """
    fleet = simulate(name, seed, engines=engines)
    rul = "".join(f"{cycles:.0f} \n" for cycles in fleet.rul)
    for file_name, text in zip(file_names(name), (_text(fleet.train), _text(fleet.test), rul), strict=True):
        write_content(directory / f"{file_name}.gz", gzip.compress(text.encode("ascii"), mtime=0))


def _run_to_failure(random: np.random.Generator, name: str) -> Array:
    """(L, 24) settings and sensors of one engine."""
    life = int(130 + 220 * random.beta(2, 3))
    shift = _SHIFTS[random.integers(SIMULATED[name].fault_modes)]
    condition = random.integers(CONDITIONS[name], size=life)
    settings = _SETTINGS[condition] + _JITTER * random.standard_normal((life, 3))
    deviation = _wear(random, life)[:, None] * shift + _NOISE * random.standard_normal((life, 21))  # (L, 21)
    return np.concatenate((settings, _LEVELS[condition] * (1 + deviation / _LEVELS[0])), axis=1)


def _wear(random: np.random.Generator, life: int) -> Array:
    """(L,) from the initial wear to 1."""
    initial, bend = random.uniform(0, 0.12), random.uniform(2.5, 3.5)
    fault = min(random.uniform(110, 150), 0.85 * life)
    progress = np.maximum(0, (np.arange(1, life + 1) - (life - fault)) / fault)
    return np.asarray(initial + (1 - initial) * np.expm1(bend * progress) / np.expm1(bend))


def _frame(engines: list[Array]) -> pd.DataFrame:
    """Rows of all engines, rounded as in the files; adding 0 makes -0.0 a 0.0."""
    unit = np.repeat(np.arange(1, len(engines) + 1), [len(rows) for rows in engines])
    cycle = np.concatenate([np.arange(1, len(rows) + 1) for rows in engines])
    frame = pd.DataFrame(np.concatenate(engines), columns=list(COLUMNS[2:])).round(_DECIMALS) + 0.0
    frame.insert(0, "unit", unit)
    frame.insert(1, "cycle", cycle)
    return frame


def _text(frame: pd.DataFrame) -> str:
    line = " ".join(f"%.{decimals}f" for decimals in _DECIMALS.values()) + "  \n"
    return "".join(line % tuple(row) for row in frame.to_numpy().tolist())
