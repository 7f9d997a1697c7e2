"""Proof that a study's processes see each other's files: one has written a probe, all others must be able to read it.

A folder of the same name on two hosts is two folders. Without a proof both train everything, and what the other host
has trained is missed when the test engines are to be scored.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from optuna.storages import RDBStorage

from amnl_tune.artifacts import ArtifactStore
from amnl_tune.database.engine import Ledger
from amnl_tune.database.failures import storage_failures
from amnl_tune.database.models import StudyRow
from amnl_tune.database.optuna_storage import borrowed_storage, joined
from amnl_tune.errors import StudyError
from amnl_tune.host import host_name, machine_of
from amnl_tune.ledger.studies import Study
from amnl_tune.masking import masked

ATTRIBUTE = "amnl_artifacts"
"""Of Optuna's study: our own tables need no column for it, and studies of older versions gain it."""


@dataclass(frozen=True)
class Probe:
    """The study's record of the probe file.

    Attributes:
        token: the file's content, and part of its name.
        url: of the artifacts, masked. host: both as the process that wrote the file saw them.
    """

    token: str
    url: str
    host: str

    def file(self, study: str) -> str:
        """The file's name in the artifact store."""
        return f"{study}/probe-{self.token}.txt"


def require_shared_artifacts(study: Study, store: ArtifactStore) -> None:
    """Reads the study's probe; a study without one, new or of an older version, gets one from whoever comes first.

    Raises:
        StudyError: `store` is not where the study's other processes keep their files. StorageError.
    """
    probe = recorded_probes(study.ledger, [study.name]).get(study.name) or claim_artifacts(
        study.ledger, study.name, store
    )
    if not is_readable(probe, study.name, store):
        raise StudyError(
            f"All workers of a study must reach the same artifacts, but those of {study.name!r} are in {probe.url} of "
            f"{probe.host}, whose {probe.file(study.name)} is not in {masked(store.url)} of "
            f"{machine_of(host_name())}; set --artifacts or AMNL_TUNE_ARTIFACTS to one URL or network folder "
            f"for all of them (where those files are gone for good: `amnl-tune doctor {study.name} --fix`)"
        )


def recorded_probes(ledger: Ledger, studies: Sequence[str]) -> dict[str, Probe]:
    """The studies' records, of those that have one. Raises StorageError."""
    with borrowed_storage(ledger) as storage, storage_failures(ledger.url):
        return {study: probe for study in studies if (probe := _record(storage, study))}


def is_readable(probe: Probe, study: str, store: ArtifactStore) -> bool:
    """Whether the probe's file is in `store`. Raises StorageError where that does not answer."""
    return store.read(probe.file(study)) == probe.token.encode()


def claim_artifacts(ledger: Ledger, study: str, store: ArtifactStore, *, instead: Probe | None = None) -> Probe:
    """Writes a probe and records it in the place of `instead`; where another process was quicker, gives that one's.

    Raises:
        StorageError: database or artifact location refuse.
    """
    own = Probe(uuid.uuid4().hex, masked(store.url), machine_of(host_name()))
    store.write(own.file(study), own.token.encode())  # before the record: what is recorded can be read
    with borrowed_storage(ledger) as storage, ledger.write() as session:
        session.get_one(StudyRow, study, with_for_update=True)  # one after the other
        with joined(storage, session):
            known = _record(storage, study)
            if known == instead:
                storage.set_study_user_attr(storage.get_study_id_from_name(study), ATTRIBUTE, json.dumps(asdict(own)))
                return own
    store.delete(own.file(study))
    assert known is not None
    return known


def _record(storage: RDBStorage, study: str) -> Probe | None:
    try:
        text = storage.get_study_user_attrs(storage.get_study_id_from_name(study)).get(ATTRIBUTE)
    except KeyError:  # a study whose opening was cut short: Optuna has none yet
        return None
    return Probe(**json.loads(text)) if text else None
