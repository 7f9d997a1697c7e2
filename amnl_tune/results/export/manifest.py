"""What an export's files are: checksums to look at, and a statement to sign.

`SHA256SUMS` is sha256sum's own form. `manifest.json` is an in-toto statement (v1) about every other file, in
one canonical form of bytes: sign it with what your house signs with, e.g. `cosign sign-blob`.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from amnl_tune.documents import brief
from amnl_tune.errors import BundleError
from amnl_tune.results.export.bundle_files import BundleFiles

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


def damaged(files: BundleFiles) -> list[str]:
    """Names of the export's files that are missing or are not what `SHA256SUMS` says.

    Only files that were found in the folder are opened, whatever the list names.

    Raises:
        BundleError: there are no checksums: it is no export, or an older one; the list breaks its form, or does not
            name every file; something is no plain file, or is larger than it may be.
    """
    there = set(files.names())
    if CHECKSUMS not in there:
        raise BundleError(
            f"An export must have its checksums, but there is no {files.folder / CHECKSUMS}; export it again"
        )
    listed = _listed(files)
    there.remove(CHECKSUMS)
    unlisted = sorted(there - listed.keys())
    if unlisted:
        raise BundleError(
            f"An export's {CHECKSUMS} must name every file, but not {brief(', '.join(unlisted), 200)} in "
            f"{files.folder}; remove what does not belong to it, or export it again"
        )
    return [brief(name) for name in sorted(listed) if name not in there or files.sha256(name) != listed[name]]


def _listed(files: BundleFiles) -> dict[str, str]:
    """SHA-256 by name."""
    listed: dict[str, str] = {}
    for number, line in enumerate(filter(None, files.text(CHECKSUMS).splitlines()), start=1):
        told = re.fullmatch(r"([0-9a-fA-F]{64}) [ *](.+)", line)
        if not told or told[2] in listed:
            raise BundleError(
                f"{files.folder / CHECKSUMS} must have a SHA-256 and a file's name in each line, each file once, but "
                f"line {number} is {brief(line)!r}; export it again"
            )
        listed[told[2]] = told[1].lower()
    return listed


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
