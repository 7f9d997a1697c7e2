"""How many epochs runs will use: the study's own pruner and early stopping, tried on made-up learning curves."""

import math
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import optuna

from amnl_tune.ledger.standing import HALVING, PERCENTILE, Competition
from amnl_tune.search.policy import competition
from amnl_tune.search.trials import bracket_of
from amnl_tune.studies.optuna_parts import build_pruner, experiments_intended
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.config import RunConfig

UNTRAINED, GOOD = 40.0, 16.0
"""Cycles: predicting the mean (amnl: Data protocol), and where trials end; only ranks decide what is pruned."""
QUALITY, PACE, NOISE = 0.2, 0.5, 0.5
"""How trials differ, as standard deviations: of the log of their last RMSE and of their pace; noise in cycles."""
SHARE_OF_PACE = 0.2
"""Of a run's epochs: in which its RMSE comes nearer to its end by a factor e."""


@dataclass(frozen=True)
class Lengths:
    """Epochs of a run each: the fewest and the most that pruning and early stopping allow, and simulated ones."""

    fewest: tuple[int, ...]
    simulated: tuple[tuple[int, ...], ...]
    most: tuple[int, ...]


def trial_lengths(spec: StudySpec, *, repeats: int, at_once: int) -> Lengths:
    """Of the search's trials, `at_once` of which run side by side.

    `fewest`: whatever may be cut at its first rung is. `most`: nothing is pruned.
    """
    source = random.Random(f"lengths {spec.seed}")
    trials, epochs = spec.budget.trials, spec.trial.epochs
    patience = spec.run_config(spec.incumbent_parameters()).patience
    brackets = _brackets(spec)
    stop = min(epochs, patience + 1 if patience else epochs)
    first = [min(stop, _first_cut(spec, bracket, epochs)) for bracket in brackets]
    uncut = _never_cut(spec)
    fewest = tuple(stop if brackets[:slot].count(brackets[slot]) < uncut else first[slot] for slot in range(trials))
    simulated = tuple(
        tuple(_Contest(spec, brackets, [_curve(source, epochs) for _ in range(trials)], patience).run(at_once))
        for _ in range(repeats)
    )
    return Lengths(fewest, simulated, (epochs,) * trials)


def promoted_lengths(spec: StudySpec, config: RunConfig, *, runs: int, repeats: int) -> Lengths:
    """Of promoted runs, which nothing but early stopping ends; one that goes on from its trial has that behind it."""
    source = random.Random(f"promoted {spec.seed}")
    behind = spec.trial.epochs if spec.trial.horizon else 0
    most = max(0, config.epochs - behind)
    fewest = most if config.patience is None else max(0, min(config.epochs, config.patience + 1) - behind)
    simulated = tuple(
        tuple(max(0, stopped(_curve(source, config.epochs), config.patience) - behind) for _ in range(runs))
        for _ in range(repeats)
    )
    return Lengths((fewest,) * runs, simulated, (most,) * runs)


def stopped(curve: Sequence[float], patience: int | None) -> int:
    """After how many epochs early stopping ends a run with this curve."""
    best, stale = math.inf, 0
    for number, value in enumerate(curve, start=1):
        best, stale = (value, 0) if value < best else (best, stale + 1)
        if patience is not None and stale >= patience:
            return number
    return len(curve)


def _curve(source: random.Random, epochs: int) -> list[float]:
    """Validation RMSE by epoch, in cycles: a noisy fall from the untrained network's to the trial's own last one."""
    last = GOOD * math.exp(source.gauss(0, QUALITY))
    pace = SHARE_OF_PACE * epochs * math.exp(source.gauss(0, PACE))
    return [
        max(0.1, last + (UNTRAINED - last) * math.exp(-number / pace) + source.gauss(0, NOISE))
        for number in range(1, epochs + 1)
    ]


def _brackets(spec: StudySpec) -> list[int]:
    """Of every trial: under Hyperband Optuna draws them from the study's name."""
    if spec.pruner.name != "HyperbandPruner":
        return [0] * spec.budget.trials
    with experiments_intended():
        study = optuna.create_study(study_name=spec.name, pruner=build_pruner(spec))
        return [bracket_of(study.ask()) for _ in range(spec.budget.trials)]


def _first_cut(spec: StudySpec, bracket: int, epochs: int) -> int:
    """The first epoch after which a trial may be pruned, or all of them; by the worst of curves."""
    nothing = Competition()
    curve = [float(number) for number in range(1, epochs + 1)]
    for number in range(1, epochs):
        questions = (competition(spec, bracket, curve[:number], reported) for reported in (-math.inf, math.inf))
        if any(question != nothing for question in questions if question != Competition.settled(False)):
            return number
    return epochs


def _never_cut(spec: StudySpec) -> int:
    """Trials of a bracket that nothing can cut: the first at a rung has no rival, a startup trial is not compared."""
    options = spec.pruner.options
    match spec.pruner.name:
        case "SuccessiveHalvingPruner" | "HyperbandPruner":
            return 0 if options.get("bootstrap_count") else 1
        case "MedianPruner" | "PercentilePruner":
            return max(1, int(options.get("n_startup_trials", 5)))
        case _:
            return 0


@dataclass
class _Contest:
    """Trials that compete by the study's own questions, as in the database but in memory."""

    spec: StudySpec
    brackets: Sequence[int]
    curves: Sequence[Sequence[float]]
    patience: int | None
    reports: dict[tuple[int, int], list[float]] = field(default_factory=lambda: defaultdict(list))
    finished: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def run(self, at_once: int) -> list[int]:
        """Epochs of each trial; `at_once` of them take an epoch in turn, and whoever ends is followed by the next."""
        used = [0] * len(self.curves)
        waiting: Iterator[int] = iter(range(len(self.curves)))
        active = list(islice(waiting, at_once))
        while active:
            for slot in list(active):
                used[slot] += 1
                if self._ends(slot, used[slot]):
                    active.remove(slot)
                    active += islice(waiting, 1)
        return used

    def _ends(self, slot: int, number: int) -> bool:
        curve, bracket = self.curves[slot], self.brackets[slot]
        if number >= min(len(curve), stopped(curve, self.patience)):
            self._complete(slot, number)
            return True
        reported = min(curve[:number])
        question = competition(self.spec, bracket, curve[:number], reported)
        rivals = self.reports[bracket, number]
        pruned = standing(question, rivals, self.finished[bracket], reported)
        if question.tallied:
            rivals.append(reported)
        return pruned

    def _complete(self, slot: int, epochs: int) -> None:
        """Rules that compare with complete trials see its whole curve."""
        bracket = self.brackets[slot]
        self.finished[bracket] += 1
        if self.spec.pruner.name in {"MedianPruner", "PercentilePruner"}:
            for number in range(1, epochs + 1):
                self.reports[bracket, number].append(min(self.curves[slot][:number]))


def standing(question: Competition, rivals: Sequence[float], finished: int, reported: float) -> bool:
    """Whether a trial is pruned: the answer of `ledger/competition.py`'s queries, without a database.

    Args:
        question: as the study asks it.
        rivals: what the others reported at this epoch.
        finished: complete trials.
        reported: by this trial.
    """
    values = question.parameters or {}
    if question.query == HALVING:
        place = (len(rivals) + 1) // int(values["reduction_factor"])
        ahead = sum(rival < reported for rival in rivals)
        return len(rivals) + 1 <= values["bootstrap_count"] or ahead > max(0, place - 1)
    if question.query == PERCENTILE:
        if not rivals or len(rivals) < values["n_min_trials"] or finished < values["n_startup_trials"]:
            return False
        return bool(reported > np.quantile(rivals, values["quantile"]))
    return question == Competition.settled(True)
