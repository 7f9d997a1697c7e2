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
was put there: messages end on terminals, in logs, in the database and on the dashboard.
Anything else that is raised is a bug and keeps its traceback.
"""

from amnl_tune.masking import without_secrets


class AmnlTuneError(Exception):
    """Base of every error that a user can mend."""

    def __init__(self, message: str = "") -> None:
        super().__init__(without_secrets(message))


class ConfigurationError(AmnlTuneError):
    """A study file, a run configuration or an option breaks a rule."""


class DataError(AmnlTuneError):
    """A data file breaks a rule; the message names the file and, where there is one, the line."""


class DataNotFoundError(DataError):
    """A data set is in none of the places looked at."""


class StudyError(AmnlTuneError):
    """A study is unknown, its file has changed, or it is not yet where the command needs it."""


class StorageError(AmnlTuneError):
    """The database or the disk refuses."""


class StorageAwayError(StorageError):
    """The database does not answer: it restarts, or the network is down. A worker waits; a command gives up."""


class CheckpointError(StorageError):
    """A checkpoint is damaged or of another format."""


class BundleError(AmnlTuneError):
    """An export, or a file to predict on, is unusable."""
