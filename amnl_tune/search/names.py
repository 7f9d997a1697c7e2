"""Names of studies: each becomes folders, files, links and jobs, so it has nothing in it that these understand."""

import re

from amnl_tune.errors import StudyError

__all__ = ["LONGEST_NAME", "STUDY_NAME", "require_study_name"]

STUDY_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
LONGEST_NAME = 100


def require_study_name(name: str) -> str:
    """The name itself. Raises StudyError if it cannot be a study's: databases may hold names of other tools' making."""
    if len(name) > LONGEST_NAME or not re.fullmatch(STUDY_NAME, name):
        raise StudyError(
            f"A study's name must be at most {LONGEST_NAME} letters, digits, `_`, `.` and `-`, and begin with a letter "
            f"or digit, but got {name[: LONGEST_NAME + 1]!r}; see `amnl-tune study list`"
        )
    return name
