"""What every launcher starts: `amnl-tune worker STUDY`, its options, its environment; and the launchers' names."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from amnl_tune.database.engine import SQLITE_WORKERS
from amnl_tune.database.urls import parse_url
from amnl_tune.errors import ConfigurationError, StorageError
from amnl_tune.masking import masked
from amnl_tune.settings import Settings

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Launcher(StrEnum):
    """Where workers can run."""

    LOCAL = "local"
    RAY = "ray"
    SLURM = "slurm"
    KUBERNETES = "kubernetes"

    @classmethod
    def named(cls, name: str) -> "Launcher":
        """Raises ConfigurationError, naming what there is, if the name is unknown."""
        try:
            return cls(name)
        except ValueError:
            raise ConfigurationError(f"`--on` must be one of {', '.join(cls)}, but got {name!r}") from None


@dataclass(frozen=True)
class WorkerPlaces:
    """Where a worker finds what its launcher finds, whatever folder it starts in: every path is absolute.

    Attributes:
        options: of `amnl-tune worker`.
        environment: the rest. The storage URL is here: neither `ps` nor a job's name may show its password.
    """

    options: tuple[str, ...]
    environment: dict[str, str] = field(repr=False)

    @classmethod
    def of(cls, places: Settings) -> "WorkerPlaces":
        """The launcher's own: all its data folders in their order, of which the last is the home folder's."""
        *first, data = [str(folder.absolute()) for folder in places.data_dirs[:-1]] or [""]
        environment = {
            "AMNL_TUNE_STORAGE": _absolute(places.storage),
            "AMNL_TUNE_HOME": str(places.home.absolute()),
            "AMNL_TUNE_DATA": data,
            "AMNL_TUNE_ARTIFACTS": _absolute_folder(places.artifacts or ""),
        }
        options = tuple(word for folder in first for word in ("--data-dir", folder))
        return cls(options, {name: value for name, value in environment.items() if value})


def _absolute(storage: str) -> str:
    """An SQLite file's full path."""
    url = parse_url(storage)
    if url.get_backend_name() != "sqlite":
        return storage
    return url.set(database=str(Path(str(url.database)).absolute())).render_as_string(hide_password=False)


def _absolute_folder(artifacts: str) -> str:
    """As given if it is a URL."""
    return str(Path(artifacts).absolute()) if artifacts and "://" not in artifacts else artifacts


@dataclass(frozen=True)
class WorkerCommand:
    """A worker to start, on this machine or another.

    Attributes:
        study: to join.
        threads: of the worker.
        options: further options of `amnl-tune worker`.
        environment: what the worker needs beyond the environment of the place that it runs in. The storage URL is
            passed here: neither `ps` nor a job's name may show its password, nor may the repr.
        inherited: names of variables that the place must have by itself: their values are secrets, and the command is
            written into a file.
    """

    study: str
    threads: int
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    inherited: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """Arguments of `amnl-tune`."""
        return ("worker", self.study, "--threads", str(self.threads), *self.options)

    @property
    def full_environment(self) -> dict[str, str]:
        """`environment` with what keeps numerical libraries to the worker's threads."""
        return {**self.environment, **thread_environment(self.threads)}

    def without_secrets(self) -> "tuple[WorkerCommand, dict[str, str]]":
        """The command as it may be written into a file, and the variables that it then has to inherit."""
        secrets = {name: value for name, value in self.environment.items() if masked(value) != value}
        others = {name: value for name, value in self.environment.items() if name not in secrets}
        return replace(self, environment=others, inherited=(*self.inherited, *secrets)), secrets


def thread_environment(threads: int) -> dict[str, str]:
    """Keeps OpenMP and the BLAS libraries to `threads`; they read it when they are loaded."""
    return dict.fromkeys(THREAD_VARIABLES, str(threads))


def require_enough_storage(storage: str, workers: int) -> None:
    """Raises StorageError if SQLite is to serve more workers than it can."""
    if parse_url(storage).get_backend_name() == "sqlite" and workers > SQLITE_WORKERS:
        raise StorageError(
            f"SQLite must serve at most {SQLITE_WORKERS} workers, but got --workers {workers}; use "
            "--storage postgresql://USER:PASSWORD@HOST/DATABASE, or fewer workers"
        )


def require_shared_storage(storage: str, launcher: Launcher, hosts: frozenset[str], here: str) -> None:
    """Raises StorageError if workers on other hosts than this one would have to share an SQLite file."""
    elsewhere = sorted(hosts - {here})
    if parse_url(storage).get_backend_name() == "sqlite" and elsewhere:
        shown = ", ".join(elsewhere[:3]) + (" ..." if len(elsewhere) > 3 else "")
        raise StorageError(
            f"SQLite must be used by workers of one host only, but `--on {launcher}` may start them on {shown} "
            f"besides {here}; use --storage postgresql://USER:PASSWORD@HOST/DATABASE"
        )
