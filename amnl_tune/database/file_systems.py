"""Where SQLite may be: its locks keep two hosts apart on no network file system."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil
from sqlalchemy import URL

from amnl_tune.errors import StorageError

NETWORK_FILE_SYSTEMS = {
    "nfs", "nfs4", "cifs", "smbfs", "smb3", "lustre", "gpfs", "beegfs", "glusterfs", "fuse.glusterfs", "ceph",
    "fuse.ceph", "fuse.sshfs", "9p", "afs",
}  # fmt: skip
"""Their locks do not keep two hosts from writing at once (sqlite.org/faq.html, question 5)."""


def mounts() -> Iterable[tuple[str, str]]:
    """Mount point and file system type of each of this host's, in the order in which they were mounted.

    None where the system does not tell: without /proc psutil has nothing to read.
    """
    with suppress(Exception):
        return [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]
    return []


def mount_of(file: Path, among: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """The mount that a file is on; of equal mount points the later hides the earlier. Empty words if there is none."""
    path = file.resolve()
    over = [(point, kind) for point, kind in among if path.is_relative_to(point)]
    _, found = max(enumerate(over), key=lambda item: (len(Path(item[1][0]).parts), item[0]), default=(0, ("", "")))
    return found


def is_shared(kind: str) -> bool:
    """Whether a file system type is one that several hosts may have mounted."""
    return kind.lower() in NETWORK_FILE_SYSTEMS


def require_local(url: URL) -> None:
    """Raises StorageError if the database is an SQLite file on a network file system."""
    if url.get_backend_name() != "sqlite":
        return
    file = Path(str(url.database))
    point, kind = mount_of(file, mounts())
    if is_shared(kind):
        raise StorageError(
            f"SQLite must be on a disk of one host, but {file} is on {point} ({kind}), where locks cannot be relied "
            "on; set --home to a local disk, or --storage to postgresql://USER:PASSWORD@HOST/DATABASE"
        )
