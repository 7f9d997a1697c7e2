"""Names of studies, which become folders, files, links and jobs: nothing is in them that these understand. And how
trials are named in a sentence."""

import re

from amnl_tune.errors import StudyError

STUDY_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
LONGEST_NAME = 100
MOST_NAMED = 5


def require_study_name(name: str) -> str:
    """The name itself. Raises StudyError if it cannot be a study's: databases may hold names of other tools' making."""
    if len(name) > LONGEST_NAME or not re.fullmatch(STUDY_NAME, name):
        raise StudyError(
            f"A study's name must be at most {LONGEST_NAME} letters, digits, `_`, `.` and `-`, and begin with a letter "
            f"or digit, but got {name[: LONGEST_NAME + 1]!r}",
            "see `amnl-tune study list`",
        )
    return name


def numbered(trials: list[int]) -> str:
    """Their numbers, the first few of many."""
    first = ", ".join(map(str, trials[:MOST_NAMED]))
    return f"{first}, ... ({len(trials)} in all)" if len(trials) > MOST_NAMED else first
