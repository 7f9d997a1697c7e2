"""When a trial is pruned: Optuna's rules, stated as what to ask of the other trials at one epoch.

An epoch's decision depends on this epoch and on the other trials' reports at it, nothing else: it can be taken late, by
another worker or after an outage, in one query (`ledger/standing.py`). Tests hold it against Optuna's own pruners.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from amnl_tune.ledger.standing import Competition
from amnl_tune.studies.optuna_parts import PRUNERS
from amnl_tune.studies.spec import StudySpec


def competition(spec: StudySpec, bracket: int, curve: Sequence[float], reported: float) -> Competition:
    """The question that decides the latest epoch of a trial.

    Args:
        spec: the study's; its pruner.
        bracket: the trial's under Hyperband.
        curve: validation RMSE of every epoch so far, in cycles.
        reported: what Optuna gets for the latest: the running best.
    """
    options = _options(spec)
    epoch = len(curve)
    match spec.pruner.name:
        case "SuccessiveHalvingPruner":
            return _halving(options, epoch, options["min_early_stopping_rate"])
        case "HyperbandPruner":
            return _halving(options, epoch, bracket)
        case "MedianPruner" | "PercentilePruner" if _due(options, epoch):
            return Competition.percentile(
                percentile=options.get("percentile", 50.0),
                n_startup_trials=options["n_startup_trials"],
                n_min_trials=options["n_min_trials"],
            )
        case "ThresholdPruner" if _due(options, epoch):
            lower, upper = options["lower"], options["upper"]
            return Competition.settled(
                (lower is not None and reported < lower) or (upper is not None and reported > upper)
            )
        case "PatientPruner":
            return Competition.settled(_impatient(curve, options["patience"], options["min_delta"]))
        case _:
            return Competition()


def competes_when_complete(spec: StudySpec) -> bool:
    """Whether trials are compared with complete ones, not with all that have come as far."""
    return spec.pruner.name in {"MedianPruner", "PercentilePruner"}


def _options(spec: StudySpec) -> Mapping[str, Any]:
    parameters = inspect.signature(PRUNERS[spec.pruner.name]).parameters
    return {name: parameter.default for name, parameter in parameters.items()} | spec.pruner.options


def _halving(options: Mapping[str, Any], epoch: int, rate: int) -> Competition:
    """Rungs are at min_resource * reduction_factor ** (rate + k), k = 0, 1, ..."""
    rung = options["min_resource"] * options["reduction_factor"] ** rate
    while rung < epoch:
        rung *= options["reduction_factor"]
    if rung != epoch:
        return Competition()
    return Competition.halving(reduction_factor=options["reduction_factor"], bootstrap_count=options["bootstrap_count"])


def _due(options: Mapping[str, Any], epoch: int) -> bool:
    since = epoch - int(options["n_warmup_steps"])
    return since >= 0 and since % int(options["interval_steps"]) == 0


def _impatient(curve: Sequence[float], patience: int, min_delta: float) -> bool:
    """No epoch of the last patience + 1 comes within `min_delta` of the best before them; of the raw curve."""
    before, after = curve[: -patience - 1], curve[-patience - 1 :]
    return bool(before) and min(before) + min_delta < min(after)
