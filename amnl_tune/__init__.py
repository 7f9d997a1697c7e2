"""amnl-tune: hyperparameter search for remaining-useful-life models.

    from amnl_tune import load_study_spec, run_study, promote, export, load_bundle, load_checkpoint, study_data

Most are functions of `amnl_tune.api`, which is imported when one of them is asked for: it takes seconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from amnl_tune.version import __version__

if TYPE_CHECKING:
    from amnl_tune.api import StudyOutcome, export, load_checkpoint, promote, run_study, study_data
    from amnl_tune.results.export.bundle import load_bundle
    from amnl_tune.studies.study_file import load_study_spec

__all__ = [
    "StudyOutcome",
    "__version__",
    "export",
    "load_bundle",
    "load_checkpoint",
    "load_study_spec",
    "promote",
    "run_study",
    "study_data",
]

_ELSEWHERE = {"load_bundle": "amnl_tune.results.export.bundle", "load_study_spec": "amnl_tune.studies.study_file"}
"""What is no function of `amnl_tune.api`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_module("amnl_tune.settings").wait_passively()
    return getattr(import_module(_ELSEWHERE.get(name, "amnl_tune.api")), name)
