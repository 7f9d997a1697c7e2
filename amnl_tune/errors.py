"""What can go wrong, as one tree.

    AmnlTuneError                a user's mistake or a failing surrounding: one line, exit code 2, no traceback
    ├── ConfigurationError       a study file, a run configuration or an option breaks a rule
    ├── DataError                a data file is wrong (names file and line)
    │   └── DataNotFoundError    a data set is in none of the places looked at
    ├── StudyError               unknown study, changed study file, nothing to promote or export
    ├── StorageError             database or disk: unreachable, read-only, full
    │   ├── StorageAwayError     the database does not answer now, but may again
    │   └── CheckpointError      a checkpoint is damaged
    └── BundleError              an export or a file to predict on is unusable

Every message follows one pattern: the rule, the values that break it, the remedy. None has a secret in it, whatever
was put there: messages end on terminals, in logs, in the database and on the dashboard. Who has to decide something
looks at the class and at `StorageError.kind`, never at the words.
Anything else that is raised is a bug and keeps its traceback.
"""

from enum import StrEnum

from amnl_tune.masking import without_secrets


class AmnlTuneError(Exception):
    """Base of every error that a user can mend; its text is "what; remedy".

    Attributes:
        what: the rule and the values that break it; the whole text where nobody needs the remedy by itself.
        remedy: what to do about it; empty where `what` has it.
    """

    def __init__(self, what: str = "", remedy: str = "") -> None:
        self.what, self.remedy = without_secrets(what), without_secrets(remedy)
        super().__init__(without_secrets(f"{what}; {remedy}") if remedy else self.what)


class ConfigurationError(AmnlTuneError):
    """A study file, a run configuration or an option breaks a rule."""


class DataError(AmnlTuneError):
    """A data file breaks a rule; the message names the file and, where there is one, the line."""


class DataNotFoundError(DataError):
    """A data set is in none of the places looked at."""


class StudyError(AmnlTuneError):
    """A study is unknown, its file has changed, or it is not yet where the command needs it."""


class StorageKind(StrEnum):
    """Why a database or a disk cannot be worked on.

    `empty`: nobody has made tables there yet. `outdated`, `newer`: its schema is of an earlier or a later version of
    the package. `away`: it does not answer now, but may again. `refused`: anything else, as no permission, no room,
    damaged, another program's, a wrong URL.
    """

    EMPTY = "empty"
    OUTDATED = "outdated"
    NEWER = "newer"
    AWAY = "away"
    REFUSED = "refused"


class StorageError(AmnlTuneError):
    """The database or the disk refuses; `kind` says why."""

    def __init__(self, what: str = "", remedy: str = "", *, kind: StorageKind = StorageKind.REFUSED) -> None:
        super().__init__(what, remedy)
        self.kind = kind


class StorageAwayError(StorageError):
    """The database does not answer: it restarts, or the network is down. A worker waits; a command gives up."""

    def __init__(self, what: str = "", remedy: str = "") -> None:
        super().__init__(what, remedy, kind=StorageKind.AWAY)


class CheckpointError(StorageError):
    """A checkpoint is damaged or of another format."""


class BundleError(AmnlTuneError):
    """An export, or a file to predict on, is unusable."""
