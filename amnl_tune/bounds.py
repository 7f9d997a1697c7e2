"""The largest numbers that options, study files and bundles may ask for: far beyond use, and nobody's memory ends."""

from amnl_tune.errors import ConfigurationError

MOST_TRIALS = 1_000_000
MOST_TOP = 10_000
"""Configurations that are promoted, exported or taken over at once."""
MOST_SEEDS = 1_000
"""Full runs of one configuration."""
MOST_RUNS = 10_000
"""Of one promotion."""
MOST_EPOCHS = 100_000
MOST_EPOCHS_IN_ALL = 10**12
MOST_PATIENCE = MOST_EPOCHS
MOST_STEPS = 10_000_000
MOST_CHOICES = 256
"""Of a categorical entry: each is checked with each of the others."""
MOST_BATCH = 1_048_576
MOST_CYCLES = 100_000
"""Of a window's distance, of truncations: no record of the published fleets has 600."""
MOST_SIZE = 8_192
"""Units or channels of a layer."""
MOST_LAYERS = 32
MOST_CONDITIONS = 32
MOST_WORKERS = 10_000
MOST_LOCAL_WORKERS = 512
MOST_GPUS = 1_024
MOST_THREADS = 1_024
MOST_LOADERS = 256
MOST_ROUNDS = 1_000
MOST_SECONDS = 10 * 366 * 86_400
"""Ten years."""
MOST_HOURS = 10**9
"""Of accelerators, over all of a search."""
MOST_PRICE = 10**9
MOST_RATE = 1e6
MOST_NUMBER = 2**63 - 1
"""Of a trial, a seed, a cycle: what a database keeps."""


def require(name: str, value: int | None, most: int, *, least: int = 1) -> None:
    """Raises ConfigurationError, unless there is no value or it is within its bounds."""
    if value is not None and not least <= value <= most:
        raise ConfigurationError(f"`{name}` must be {least:,} to {most:,}, but got {value:,}")
