"""Where things are: the storage URL, the data directories, the machine-local state.

Only `cli` builds a `Settings`; everything below receives what it needs as arguments.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from amnl_tune.errors import ConfigurationError
from amnl_tune.masking import masked

DEFAULT_HOME = Path("storage") / "local"
SCHEMES = {"abfs:", "abfss:", "az:", "file:", "ftp:", "gcs:", "gs:", "http:", "https:", "mysql:", "postgres:",
           "postgresql:", "postgresql+psycopg:", "s3:", "sftp:", "sqlite:"}  # fmt: skip
"""As a part of a path they are no folder that anybody made."""


def wait_passively() -> None:
    """Lets OpenMP's threads sleep while they wait, here and in every process started from here; before torch is loaded.

    By default they spin, which on a busy machine takes the core from the very thread that they wait for: two threads
    need eight times as long beside four busy processes. A policy that is set already stays. No figure depends on it.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Resolved places of one invocation.

    Attributes:
        home: Folder of machine-local state (git-ignored): database, artifacts, data, logs.
        storage: SQLAlchemy URL of the shared study storage. Its password is masked in the repr.
        artifacts: URL of checkpoints and weights that every worker of a study reaches; None: a folder of `home`.
        data_dirs: Folders in which data sets are looked for, in order; the last one is the local store.
    """

    home: Path
    storage: str
    artifacts: str | None = None
    data_dirs: tuple[Path, ...]

    @classmethod
    def resolve(
        cls,
        environ: Mapping[str, str],
        *,
        home: Path | None = None,
        storage: str | None = None,
        data_dir: Path | None = None,
        artifacts: str | None = None,
    ) -> "Settings":
        """An option wins over the environment, the environment over the default.

        Args:
            environ: `AMNL_TUNE_HOME`, `AMNL_TUNE_STORAGE`, `AMNL_TUNE_ARTIFACTS` and `AMNL_TUNE_DATA` are read from it.
            home: `--home`.
            storage: `--storage`.
            data_dir: `--data-dir`.
            artifacts: `--artifacts`.
        """
        home = _resolved(home or Path(environ.get("AMNL_TUNE_HOME") or DEFAULT_HOME))
        storage = storage or environ.get("AMNL_TUNE_STORAGE") or sqlite_url(home / "amnl_tune.db")
        candidates = (data_dir, Path(environ["AMNL_TUNE_DATA"]) if environ.get("AMNL_TUNE_DATA") else None)
        data_dirs = (*(_resolved(directory) for directory in candidates if directory), home / "data")
        artifacts = artifacts or environ.get("AMNL_TUNE_ARTIFACTS") or None
        return cls(home=home, storage=storage, artifacts=artifacts, data_dirs=data_dirs)

    def __repr__(self) -> str:
        return (
            f"Settings(home={self.home!r}, storage={masked(self.storage)!r}, "
            f"artifacts={masked(self.artifacts or '')!r}, data_dirs={self.data_dirs!r})"
        )


def sqlite_url(file: Path) -> str:
    """A file's storage URL, whatever characters its name has."""
    return f"sqlite:///{quote(str(file))}"


def mlflow_uri() -> str | None:
    """Where promoted runs are logged; a server that is away costs seconds, not MLflow's minutes."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    return os.environ.get("MLFLOW_TRACKING_URI") or None


def require_path(path: Path) -> None:
    """Raises ConfigurationError for a URL, of which pathlib makes folders; it may have a password in it, so no more of
    it is told than its scheme."""
    for part in path.parts:
        if part.lower() in SCHEMES:
            raise ConfigurationError(
                f"A file or folder of this machine must be named by its path, but got a URL that begins with {part}//; "
                "URLs are for --storage and --artifacts"
            )


def _resolved(path: Path) -> Path:
    """Without the `~` that a shell leaves in `--home=~/amnl` and everybody else in a variable."""
    require_path(path)
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ConfigurationError(f"A folder must be known, but {path}: {error}; write it out") from error
