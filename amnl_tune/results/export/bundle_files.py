"""The files of an export's folder, opened as a stranger's: only plain files inside it, none larger than it may be."""

import hashlib
import stat
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from amnl_tune.documents import brief, from_json, from_toml, text_of
from amnl_tune.errors import BundleError
from amnl_tune.files import read_plain, require_plain

WEIGHTS, SEEDS = "model.safetensors", "seeds"
MOST_FILES = 2_000
LARGEST_TEXT = 16 * 2**20
"""Bytes; metrics of a thousand candidates have a tenth of it."""
LARGEST_MODEL = 2 * 2**30
"""Bytes: no ONNX file can have more."""
WEIGHTS_HEADER = 2**20
CHUNK = 2**20


@dataclass(frozen=True)
class BundleFiles:
    """An export's folder; a name is relative to it, in a folder at most `seeds/NAME`.

    Attributes:
        folder: its place; may be a link itself.
        network: bytes of one network's tensors; None: not known yet.
    """

    folder: Path
    network: int | None = None

    def names(self) -> list[str]:
        """Every file, sorted.

        Raises:
            BundleError: there are links, pipes, devices or further folders, or far too many files.
        """
        return sorted([*self._plain(self.folder), *self._plain(self.folder / SEEDS)])

    def seeds(self) -> list[str]:
        """Names of the weights in `seeds`, by the number of the seed. Raises BundleError: another name is there."""
        folder = self.folder / SEEDS
        if folder.is_symlink():
            raise self._not_plain(folder)
        named = self._plain(folder)
        for name in named:
            stem, suffix = Path(name).stem, Path(name).suffix
            if not (suffix == ".safetensors" and stem.isascii() and stem.isdecimal() and len(stem) < 20):
                raise BundleError(
                    f"A bundle's seeds must be named by their number, as {SEEDS}/42.safetensors, but "
                    f"{self.folder / name} is not; remove it, or export it again"
                )
        return sorted(named, key=seed_of)

    def read(self, name: str) -> bytes:
        """A file's content. Raises OSError: it is missing, no plain file inside the folder, or larger than allowed."""
        self._require_inside(name)
        return read_plain(self.folder / name, self.limit(name))

    def sha256(self, name: str) -> str:
        """Of a file that may be larger than memory. Raises BundleError: it cannot be read, as in `read`."""
        try:
            self._require_inside(name)
            require_plain((self.folder / name).lstat(), self.limit(name))
            digest, left = hashlib.sha256(), self.limit(name)
            with (self.folder / name).open("rb") as file:
                while left > 0 and (chunk := file.read(min(CHUNK, left))):
                    digest.update(chunk)
                    left -= len(chunk)
            return digest.hexdigest()
        except OSError as error:
            raise self._unreadable(name, error.strerror or error) from error

    def text(self, name: str) -> str:
        """A file's text. Raises BundleError: it cannot be read, or has other bytes than UTF-8's."""
        try:
            return text_of(self.read(name))
        except OSError as error:
            raise self._unreadable(name, error.strerror or error) from error
        except ValueError as error:
            raise self._unreadable(name, f"it has {error}") from error

    def toml(self, name: str) -> dict[str, Any]:
        """A file's tables. Raises as `text`."""
        try:
            return from_toml(self.text(name))
        except ValueError as error:
            raise BundleError(f"{self.folder / name} must be TOML, but: {error}; export it again") from error

    def json(self, name: str) -> dict[str, Any]:
        """A file's JSON object. Raises as `text`."""
        try:
            document = from_json(self.text(name))
        except ValueError as error:
            raise BundleError(
                f"{self.folder / name} must be JSON, but: {brief(str(error))}; export it again"
            ) from error
        if not isinstance(document, dict):
            kind = type(document).__name__
            raise BundleError(f"{self.folder / name} must be a JSON object, but it is a {kind}; export it again")
        return document

    def limit(self, name: str) -> int:
        """Bytes that a file may have."""
        if name.endswith(".safetensors"):
            return LARGEST_MODEL if self.network is None else self.network + WEIGHTS_HEADER
        return LARGEST_MODEL if name.endswith(".onnx") else LARGEST_TEXT

    def _plain(self, folder: Path) -> list[str]:
        """Names of a folder's files."""
        found: list[str] = []
        for path in self._entries(folder):
            mode, name = path.lstat().st_mode, path.relative_to(self.folder).as_posix()
            if stat.S_ISREG(mode):
                found.append(name)
            elif name != SEEDS or not stat.S_ISDIR(mode):
                raise self._not_plain(path)
        return found

    def _entries(self, folder: Path) -> list[Path]:
        if folder != self.folder and not folder.is_dir():
            return []
        try:
            found = sorted(islice(folder.iterdir(), MOST_FILES + 1))
        except OSError as error:
            raise BundleError(
                f"A bundle must be a folder, but {folder} cannot be read: {error.strerror or error}; name the folder "
                "of an `amnl-tune export`"
            ) from error
        if len(found) > MOST_FILES:
            raise BundleError(
                f"An export's folder has at most {MOST_FILES:,} files, but {folder} has more; name the folder of an "
                "`amnl-tune export`"
            )
        return found

    def _require_inside(self, name: str) -> None:
        """Raises OSError: the file or its folder is a link."""
        for path in (self.folder / name, *(self.folder / name).parents):
            if path == self.folder:
                return
            if path.is_symlink():
                raise OSError(0, "it is a link, a pipe or a device, not a file")

    def _not_plain(self, path: Path) -> BundleError:
        return BundleError(
            f"An export holds plain files alone, but {path} is a link, a folder, a pipe or a device; remove it, or "
            "export it again"
        )

    def _unreadable(self, name: str, reason: object) -> BundleError:
        return BundleError(
            f"A bundle must hold {Path(name).name}, but {self.folder / name} cannot be read: {reason}; name the "
            "folder of an `amnl-tune export`"
        )


def seed_of(name: str) -> int:
    """Of a file that `BundleFiles.seeds` names."""
    return int(Path(name).stem)
