"""What an export's files are: checksums to look at, and a statement to sign.

`SHA256SUMS` is sha256sum's own form. `manifest.json` is an in-toto statement (v1) about every other file, in
one canonical form of bytes: sign it with what your house signs with, e.g. `cosign sign-blob`.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amnl_tune.errors import BundleError

__all__ = ["CHECKSUMS", "MANIFEST", "damaged", "with_manifest"]

CHECKSUMS, MANIFEST = "SHA256SUMS", "manifest.json"


def with_manifest(files: Mapping[str, bytes], provenance: Mapping[str, Any]) -> dict[str, bytes]:
    """The files with `manifest.json` about them, and `SHA256SUMS` of all."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": _sha256(files[name])}} for name in sorted(files)],
        "predicateType": "urn:amnl-tune:export:v1",
        "predicate": provenance,
    }
    known = dict(files) | {MANIFEST: json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()}
    sums = "".join(f"{_sha256(known[name])}  {name}\n" for name in sorted(known))
    return known | {CHECKSUMS: sums.encode()}


def damaged(folder: Path) -> list[str]:
    """Names of the export's files that are missing or are not what `SHA256SUMS` says.

    Raises:
        BundleError: there are no checksums: it is no export, or an older one.
    """
    try:
        lines = (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BundleError(
            f"An export must have its checksums, but {folder / CHECKSUMS} cannot be read: {reason}; export it again"
        ) from error
    told = [line.split("  ", 1) for line in lines if "  " in line]
    return [name for digest, name in told if not _is(folder / name, digest)]


def _is(path: Path, digest: str) -> bool:
    try:
        return _sha256(path.read_bytes()) == digest
    except OSError:
        return False


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
