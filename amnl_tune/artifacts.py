"""Where the files of a study's runs are, those that other machines need by URL, the others under `home`; and what each
is called, which nobody else writes or reads back.

The artifact location is a folder, or whatever else fsspec reaches by URL. In it:

    STUDY/trial-00012/checkpoint-000003.pt          the trial's latest state, by the lease that wrote it
    STUDY/trial-00012/epoch-00010.pt, last.pt       states that are kept beyond the run's end
    STUDY/promotion-001-run-02/model.safetensors    a promoted run's best weights, beside its checkpoints
    STUDY/promotion-001/boosting.onnx, .json        a promotion's gradient boosting
"""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote

import fsspec

from amnl_tune.errors import StorageError
from amnl_tune.files import read_plain, write_content
from amnl_tune.installation import install_extra
from amnl_tune.masking import masked, without_secrets

EXTRAS = {"s3": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "az": "azure"}
"""Our extra by the URL's protocol."""

LARGEST = 64 * 2**30
"""Bytes of a file in a folder; a checkpoint of the largest network has less."""

TRIED = 4096
"""Bytes of a file that is to show that there is room."""

KEYS = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY",
    "gcs": "GOOGLE_APPLICATION_CREDENTIALS",
    "azure": "AZURE_STORAGE_CONNECTION_STRING",
}
"""Where they belong: in the URL, no package reads them, and each takes them for the bucket's name."""


def local_folder(url: str) -> Path:
    """The folder that a path or a file: URL names; a path is a path, whatever characters it has.

    Raises:
        StorageError: a file: URL of another host, or a home folder that nobody knows.
    """
    path = url
    if url.startswith("file://"):
        host, _, rest = url.removeprefix("file://").partition("/")
        if host not in {"", "localhost"}:
            raise StorageError(
                f"A file: URL must name a folder of this host, file:///FOLDER, but got {url!r}; write three slashes"
            )
        path = unquote(f"/{rest}")
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError as error:
        raise StorageError(f"The artifact folder {url!r} must be known, but: {error}; write it out") from error


class ArtifactStore:
    """Files under one URL: `file:///nfs/amnl`, a plain folder, `s3://bucket/amnl`, `gs://bucket/amnl`, ...

    A file that is being written is seen as it was or as it will be: object stores put whole objects, in a folder the
    file is renamed into place.

    Raises:
        StorageError: the protocol is unknown, or its package is not installed; keys in the URL of a bucket.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        protocol = url.split("://", 1)[0] if "://" in url else "file"
        if protocol in EXTRAS and masked(url) != url:
            raise StorageError(
                f"The artifact URL must name bucket and folder alone, but got {masked(url)!r}; give the keys as its "
                f"package reads them from the environment ({KEYS[EXTRAS[protocol]]})"
            )
        try:
            self._files: Any
            if protocol == "file":
                self._files, self.root = fsspec.filesystem("file"), str(local_folder(url))
            else:
                self._files, self.root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            extra = EXTRAS.get(protocol)
            remedy = f"run `{install_extra(extra)}`" if extra else f"install its package ({error})"
            raise StorageError(
                f"The artifact URL's protocol must be installed, but {protocol!r} is not; {remedy}"
            ) from error
        except ValueError as error:
            raise StorageError(
                f"The artifact URL must have a protocol that fsspec knows, but got {masked(url)!r} ({error}); use a "
                "folder, s3://BUCKET/FOLDER or gs://BUCKET/FOLDER"
            ) from error
        protocols = self._files.protocol
        self.is_local = "file" in ((protocols,) if isinstance(protocols, str) else protocols)

    def read(self, name: str) -> bytes | None:
        """A file's content; None if there is none. Raises StorageError."""
        with self._answering():
            try:
                if self.is_local:
                    return read_plain(Path(self._path(name)), LARGEST)
                return bytes(self._files.cat_file(self._path(name)))
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        """Puts a whole file into place. Raises StorageError."""
        if self.is_local:
            write_content(Path(self._path(name)), content)
            return
        with self._answering():
            self._files.pipe_file(self._path(name), content)

    def delete(self, name: str) -> None:
        """Removes a file, and its folder if that is empty then; no file is fine. Raises StorageError."""
        with self._answering():
            try:
                self._files.rm_file(self._path(name))
            except FileNotFoundError:
                return
            if self.is_local:
                with suppress(OSError):  # there are others, or somebody has just written one
                    Path(self._path(name)).parent.rmdir()

    def names(self, folder: str = "") -> list[str]:
        """Names of the files and folders in a folder, sorted; none if there is no such folder. Raises StorageError."""
        with self._answering():
            self._files.invalidate_cache()
            try:
                found = self._files.ls(self._path(folder) if folder else self.root, detail=False)
            except FileNotFoundError:
                return []
            return sorted(str(path).rstrip("/").rsplit("/", 1)[-1] for path in found)

    def size(self, name: str) -> int:
        """Bytes of a file. Raises StorageError."""
        with self._answering():
            return int(self._files.size(self._path(name)) or 0)

    def require_writable(self) -> None:
        """Writes and removes a small file: not an empty one, for which a full disk has room. Raises StorageError."""
        name = f".amnl-tune-{uuid.uuid4().hex}"
        self.write(name, bytes(TRIED))
        self.delete(name)
        if self.is_local:
            Path(self.root).mkdir(parents=True, exist_ok=True)

    def _path(self, name: str) -> str:
        return f"{str(self.root).rstrip('/')}/{name}"

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except StorageError:
            raise
        except Exception as error:  # each protocol's package has errors of its own
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            reason = without_secrets(reason, self.url)
            raise StorageError(
                f"The artifact location {masked(self.url)} must answer, but: {reason}; check the URL, its credentials "
                "and the network, or set --artifacts"
            ) from error


WEIGHTS = "model.safetensors"
CHECKPOINT = "checkpoint-"
LAST = "last.pt"

_FOLDER = re.compile(r"trial-(?P<trial>\d{5,})|promotion-(?P<promotion>\d{3,})-run-(?P<slot>\d{2,})")
_CHECKPOINT = re.compile(
    r"checkpoint(-[\w.-]+)?\.pt|\.(checkpoint(-[\w.-]+)?|last|epoch-\d+)\.pt\.[0-9a-f]{32}(\.unfinished)?"
)
_KEPT = re.compile(r"last\.pt|epoch-\d{5,}\.pt")


class RunKey(NamedTuple):
    """A run by what names its folder; `number` is a trial's (promotion 0), or the slot of a promotion's run."""

    study: str
    promotion: int
    number: int


def run_of(study: str, folder: str) -> RunKey | None:
    """The run whose folder is called so in a study's; None: no run's."""
    named = _FOLDER.fullmatch(folder)
    return RunKey(study, int(named["promotion"] or 0), int(named["trial"] or named["slot"])) if named else None


def checkpoint_name(fence: int) -> str:
    """A run's latest state, written under a lease of this fence: names sort as the leases followed each other."""
    return f"{CHECKPOINT}{fence:06d}.pt"


def kept_name(epoch: int | None) -> str:
    """A state kept for good: after an epoch, or after the run's last one (None)."""
    return LAST if epoch is None else f"epoch-{epoch:05d}.pt"


def is_checkpoint(name: str) -> bool:
    """Whether a file is a run's latest state, or what a process that was killed left of a checkpoint."""
    return _CHECKPOINT.fullmatch(name) is not None


def is_kept(name: str) -> bool:
    """Whether a file is a state that is kept beyond its run's end (`keep_every`, `keep_last`)."""
    return _KEPT.fullmatch(name) is not None


class RecordedRun(Protocol):
    """What names a run's folder: its study, and its trial's number or its promotion and slot."""

    @property
    def study(self) -> str: ...
    @property
    def is_trial(self) -> bool: ...
    @property
    def trial_number(self) -> int | None: ...
    @property
    def promotion(self) -> int: ...
    @property
    def slot(self) -> int: ...


@dataclass(frozen=True)
class Artifacts:
    """Places of files.

    Attributes:
        home: the machine-local folder.
        url: of checkpoints and weights, for every machine of a study the same; None: `home`/artifacts.
    """

    home: Path
    url: str | None = field(default=None, repr=False)

    @cached_property
    def store(self) -> ArtifactStore:
        """Checkpoints and weights."""
        return ArtifactStore(self.url or str((self.home / "artifacts").absolute()))

    @property
    def prepared(self) -> Path:
        """Cache of prepared data."""
        return self.home / "prepared"

    def folder(self, run: RecordedRun) -> str:
        """A run's folder in the store."""
        if run.is_trial:
            assert run.trial_number is not None
            return self.trial_folder(run.study, run.trial_number)
        return f"{run.study}/promotion-{run.promotion:03d}-run-{run.slot:02d}"

    def trial_folder(self, study: str, number: int) -> str:
        """A trial's folder in the store."""
        return f"{study}/trial-{number:05d}"

    def weights(self, run: RecordedRun) -> str:
        """A promoted run's best weights in the store, kept when it ends."""
        return f"{self.folder(run)}/{WEIGHTS}"

    def read_weights(self, run: RecordedRun) -> bytes:
        """A promoted run's weights, a safetensors file's content.

        Raises:
            StorageError: they are not there, or the location does not answer.
        """
        content = self.store.read(self.weights(run))
        if content is None:
            raise StorageError(
                f"A promoted run's weights must be readable, but {self.weights(run)} is not in "
                f"{masked(self.store.url)}; set --artifacts to where the study's workers keep theirs"
            )
        return content

    def boosting(self, study: str, number: int) -> str:
        """A promotion's gradient boosting in the store, ONNX; what belongs to it stands beside it as JSON."""
        return f"{study}/promotion-{number:03d}/boosting.onnx"

    def scalars(self, run: RecordedRun) -> Path:
        """TensorBoard's folder of a run."""
        return self.home / "tensorboard" / self.folder(run)

    def log(self, study: str, worker: str) -> Path:
        """Where a launched worker's output goes."""
        return self.home / "logs" / study / f"{worker}.log"
