"""Files that get their name when they are whole: what they are called until then, and what a killed process left.

Until then a file is `.NAME.HEX.unfinished`, and its writer holds a lock on it that ends with the process. So whoever
comes next can tell what is being written from what never will be.
"""

import fcntl
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

NAMED = re.compile(r"(\..+\.[0-9a-f]{32}\.unfinished)(-journal|-wal|-shm|\.\w+)?")
"""Such a file, and those that SQLite or a lock puts beside it."""


@contextmanager
def unfinished(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file beside `path`, and open; it is gone afterwards, unless it was renamed. Removes abandoned ones there.

    Its folder may vanish before and after: others delete what they no longer need, and folders that are empty then.

    Raises:
        OSError: the folder refuses.
    """
    remove_abandoned(path.parent)
    temporary, file = _made(path)
    try:
        with file:
            yield temporary, file
    finally:
        _remove(temporary)


def abandoned(folder: Path) -> list[Path]:
    """Unfinished files in a folder that nobody is writing any more."""
    try:
        found = [path for path in folder.iterdir() if NAMED.fullmatch(path.name)]
    except OSError:
        return []
    return sorted(path for path in found if not _is_held(path))


def remove_abandoned(folder: Path) -> None:
    """Removes them; what cannot be removed stays."""
    for path in abandoned(folder):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _made(path: Path) -> tuple[Path, BinaryIO]:
    while True:
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.unfinished")
        try:
            file = temporary.open("xb")
        except FileNotFoundError:  # whoever deleted the folder's last file took the empty folder with it
            path.parent.mkdir(parents=True, exist_ok=True)
            continue
        with suppress(OSError):  # a network file system without locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if temporary.exists():  # nobody took it for abandoned before it was locked
            return temporary, file
        file.close()


def _is_held(path: Path) -> bool:
    """Whether a process has the file, or the one that it belongs to, open; also where nobody can tell."""
    match = NAMED.fullmatch(path.name)
    assert match
    own = path.with_name(match[1])
    try:
        with own.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _remove(temporary: Path) -> None:
    with suppress(FileNotFoundError):  # the folder went with its last file, which was ours
        for path in list(temporary.parent.iterdir()):
            if path.name.startswith(temporary.name):
                path.unlink(missing_ok=True)
